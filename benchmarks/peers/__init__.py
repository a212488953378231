"""Other engines that a user would pick, each in an environment of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One engine. `stores` says what is durable before its work goes on."""

    name: str
    stores: str


PEERS: dict[str, Peer] = {}

DURABLE = ("DBOS", "huey", "Prefect")  # those that store what was done before they go on
