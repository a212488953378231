"""Other engines that a user would pick, each in an environment of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One engine. `stores` says what is durable before its work goes on."""

    name: str
    stores: str


PEERS = {
    "dbos": Peer(
        name="DBOS",
        stores="the result of each step before the workflow goes on, SQLite with its defaults "
        "(rollback journal, synchronous=FULL)",
    ),
    "huey": Peer(
        name="huey",
        stores="the queue and each result, SQLite with WAL and synchronous=FULL; not which task "
        "waits for which",
    ),
    "prefect": Peer(
        name="Prefect",
        stores="the states of each task as events, which its server process writes some time "
        "later, SQLite with WAL and synchronous=NORMAL",
    ),
    "luigi": Peer(name="Luigi", stores="an empty file for each task that is done, not synced"),
    "doit": Peer(name="doit", stores="what is done, in SQLite, once when all has ended"),
}

DURABLE = ("DBOS", "huey")  # those that store what was done before they go on
