"""Pipelines and plans as JSON, exactly as they were when a run or a rollback began."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.store.digests import sha256

if TYPE_CHECKING:
    import sqlite3

    from orchestrate_tui.domain.rollback_plan import RollbackPlan

_encode = msgspec.json.Encoder().encode

_MOST_RECENT = 32
_recent: dict[str, Pipeline] = {}
"""The pipelines that this process had to do with last, by their hashes: a hash names but one.

The object stays the same too, so that what was made of it, such as a drawing, is found again.
"""


def encode_pipeline(pipeline: Pipeline) -> tuple[str, str]:
    """The JSON of the pipeline and its hash."""
    body = _encode(pipeline)
    return body.decode(), sha256(body).hexdigest()


def decode_pipeline(body: str) -> Pipeline:
    """The pipeline of that JSON."""
    return _pipelines().decode(body)


def encode_plan(plan: RollbackPlan) -> str:
    """The JSON of a rollback plan."""
    return _encode(plan).decode()


def decode_plan(body: str) -> RollbackPlan | None:
    """The plan of that JSON; None for "", a rollback that was not planned yet."""
    return _plans().decode(body) if body else None


# Made when something is read for the first time: who only runs pipelines knows them


@cache
def _pipelines() -> msgspec.json.Decoder[Pipeline]:
    return msgspec.json.Decoder(Pipeline)


@cache
def _plans() -> msgspec.json.Decoder[RollbackPlan]:
    from orchestrate_tui.domain.rollback_plan import RollbackPlan  # noqa: PLC0415

    return msgspec.json.Decoder(RollbackPlan)


def insert_definition(
    connection: sqlite3.Connection, pipeline: Pipeline, source: str, at: str
) -> str:
    """Keep the pipeline, once per distinct content, and return its hash."""
    body, digest = encode_pipeline(pipeline)
    _remember(digest, pipeline)
    connection.execute(
        "INSERT INTO definitions VALUES (?, ?, ?, ?, ?) ON CONFLICT (hash) DO NOTHING",
        (digest, pipeline.name, body, source, at),
    )
    return digest


def read_definition(connection: sqlite3.Connection, digest: str) -> Pipeline:
    """The pipeline that was kept under that hash. Raises LookupError for an unknown one."""
    if (known := _recent.get(digest)) is not None:
        return known
    row = connection.execute("SELECT body FROM definitions WHERE hash = ?", (digest,)).fetchone()
    if row is None:
        raise LookupError(f"no definition {digest}")
    pipeline = decode_pipeline(row["body"])
    _remember(digest, pipeline)
    return pipeline


def _remember(digest: str, pipeline: Pipeline) -> None:
    _recent.setdefault(digest, pipeline)
    with suppress(StopIteration, KeyError):  # other threads do the same
        while len(_recent) > _MOST_RECENT:
            del _recent[next(iter(_recent))]
