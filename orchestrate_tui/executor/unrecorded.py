"""What is asked of a run's owner while no request can be left in the database: its disk is full."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from uuid import uuid4

import anyio
import anyio.to_thread

from orchestrate_tui.errors import NoRoom
from orchestrate_tui.executor.errands import AnyErrand, Approve, Cancel, Halt, Reject
from orchestrate_tui.executor.messenger import Messenger, NobodyListens
from orchestrate_tui.executor.requests import Request, recorded_later
from orchestrate_tui.executor.service import ask
from orchestrate_tui.executor.session import RunSession
from orchestrate_tui.store.commands import CommandKind

ROOM_COMES_S = 1.0
"""Who asks waits so long for room; the request waits on."""


async def ask_session(session: RunSession, request: Request, no_room: NoRoom) -> str:
    """Have a request served that nobody else keeps; returns what that did.

    Raises the refusal, or Unrecorded while there is no room for what follows from it.
    """
    ask(session, request)
    with anyio.move_on_after(ROOM_COMES_S):
        answer = await request.answer()
        if request.kind is not CommandKind.HALT:  # which is recorded with what it stops
            return answer
    raise recorded_later(_told(session, request), session.context.id, no_room) from no_room


def _told(session: RunSession, request: Request) -> str:
    run = f"run {session.context.id}"
    if request.kind is CommandKind.HALT:
        return f"The executor of {run} halts rollback {request.payload['rollback']}"
    if request.kind is not CommandKind.CANCEL:
        said = f"{request.actor} says {request.kind} of stage '{request.payload['stage']}'"
        return f"The executor of {run} knows that {said}"
    if session.rollbacks.is_busy:
        return f"The executor of {run} knows that {request.actor} says cancel"
    return f"The executor of {run} ends what runs of it"


async def ask_through_socket(
    path: Path, kind: CommandKind, run_id: int, payload: Mapping[str, str], no_room: NoRoom
) -> str:
    """Ask the executor of another process of this account; returns what that did.

    Raises its refusal, Unrecorded, or `no_room` when none listens.
    """
    errand = _errand(kind, run_id, payload)
    try:
        answer = await anyio.to_thread.run_sync(
            partial(Messenger(path).ask, errand), abandon_on_cancel=True
        )
    except NobodyListens as nobody:
        raise no_room from nobody
    return answer.answer


def _errand(kind: CommandKind, run_id: int, payload: Mapping[str, str]) -> AnyErrand:
    key = uuid4().hex
    if kind is CommandKind.CANCEL:
        return Cancel(key=key, run=run_id)
    if kind is CommandKind.HALT:
        reason = payload.get("reason", "")
        return Halt(key=key, rollback=int(payload["rollback"]), reason=reason)
    say = Approve if kind is CommandKind.APPROVE else Reject
    return say(key=key, run=run_id, stage=payload["stage"], comment=payload.get("comment", ""))
