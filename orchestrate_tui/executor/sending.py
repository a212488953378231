"""Sends one message to one channel, in a process of its own that never takes longer than told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from orchestrate_tui.domain.text import visible
from orchestrate_tui.values import dataclass

LONGEST_S = 20.0
"""For one channel to take one message."""

_ROOT = Path(__file__).parents[2]
_MAIN = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from orchestrate_tui.executor.sending_program import main; main()"
)
_MASK = "***"
_FEWEST_CHARACTERS = 4  # what is shorter is in every text
_LONGEST_ERROR = 300
_ADDRESSES = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What somebody is told; `kind` is info, success, warning or failure."""

    title: str
    body: str
    kind: str


def send(
    channel: str,
    message: Message,
    environment: Mapping[str, str] = os.environ,
    *,
    longest_s: float = LONGEST_S,
) -> str:
    """Send a message to who the variable `channel` stands for; "", or why that failed.

    What is answered holds no part of an address.
    """
    address = environment.get(channel, "").strip()
    if not address:
        return f"the environment variable '{channel}' is not set"
    order = {
        "address": address,
        "title": message.title,
        "body": message.body,
        "kind": message.kind,
    }
    try:
        error = _carry_out(order, longest_s)
    except subprocess.TimeoutExpired:
        return f"it was not taken within {longest_s:g} seconds"
    return told(error, address)


def _carry_out(order: dict[str, str], longest_s: float) -> str:
    """What the program says that sends it. Raises TimeoutExpired."""
    done = subprocess.run(
        (sys.executable, "-P", "-c", _MAIN),
        input=json.dumps(order),
        capture_output=True,
        text=True,
        timeout=longest_s,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        return f"the program that sends it failed: {''.join(last) or done.returncode}"
    error: str = json.loads(done.stdout)
    return error


def told(error: str, address: str) -> str:
    """An error in one line, short, and without any part of the address."""
    for piece in sorted(_pieces(address), key=len, reverse=True):
        error = error.replace(piece, _MASK)
    return visible("; ".join(error.splitlines()))[:_LONGEST_ERROR]


def _pieces(address: str) -> frozenset[str]:
    """Each address and the parts of it that may be secret, which is all of them but its kind."""
    written = {address, *(piece for one in _ADDRESSES.split(address) for piece in _parts(one))}
    found = written | {unquote(piece) for piece in written}
    return frozenset(piece for piece in found if len(piece) >= _FEWEST_CHARACTERS)


def _parts(address: str) -> Iterator[str]:
    _, _, rest = address.partition("://")
    yield from (address, rest)
    try:
        split = urlsplit(address)
    except ValueError:
        return
    yield from re.split("[:@]", split.netloc)
    yield from (split.path, *split.path.split("/"), split.query)
    yield from (value for _, value in parse_qsl(split.query))
