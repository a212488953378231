"""Serves what people ask of a run that is being worked on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.run import Decision
from orchestrate_tui.domain.step_decision import StepDecision
from orchestrate_tui.errors import OrchestrateError, Refused
from orchestrate_tui.executor.demand import accept, applicant_of
from orchestrate_tui.executor.requests import Request, being_rolled_back
from orchestrate_tui.executor.session import RunSession
from orchestrate_tui.store import rollbacks
from orchestrate_tui.store.commands import CommandKind, CommandStatus, answer_command
from orchestrate_tui.store.connection import Connection

Answer = Callable[[], str]
"""What is said once the request's changes are made, and ids are known."""

Handler = Callable[[RunSession, Request], Answer]
"""Does in a turn what is asked. Raises OrchestrateError."""


def ask(session: RunSession, request: Request) -> None:
    """Have a request served in one of the session's next turns; it is answered after the commit.

    What runs is cancelled, and a rollback halted, at once when no turn can be committed: that may
    take long.
    """
    request.payload = session.context.secrets.masked_payload(request.payload)
    is_stuck = session.executor.database.is_stuck
    handler = _HANDLERS[request.kind]
    if is_stuck and request.kind is CommandKind.HALT:
        handler = _done_at_once(handler, session, request)
    session.turns.post_request(request, partial(_serve, session, request, handler))
    if is_stuck and request.kind is CommandKind.CANCEL and not session.rollbacks.is_busy:
        session.stop_what_runs(f"cancelled by {request.actor}")


def _done_at_once(handler: Handler, session: RunSession, request: Request) -> Handler:
    """What is left to do in a turn of something that is done already; a refusal comes again."""
    try:
        answer = handler(session, request)
    except OrchestrateError:
        return handler
    return lambda _session, _request: answer


def _serve(session: RunSession, request: Request, handler: Handler) -> None:
    try:
        answer = handler(session, request)
    except OrchestrateError as error:
        refusal = str(error)
        _keep(session, request, CommandStatus.REFUSED, lambda: refusal)
        session.turns.present.afterwards.append(partial(request.fail, error))
    else:
        _keep(session, request, CommandStatus.DONE, answer)
        session.turns.present.afterwards.append(lambda: request.succeed(answer()))


def _keep(session: RunSession, request: Request, status: CommandStatus, answer: Answer) -> None:
    """Record what became of another process's request, in the transaction that does it."""
    command = request.command
    if command is None:
        return

    def record(connection: Connection) -> None:
        answer_command(connection, command, status, answer(), session.executor.clock())

    session.turns.present.others.append(record)


def _decide(decision: Decision, session: RunSession, request: Request) -> Answer:
    sentence = session.decide(request, decision)
    return lambda: sentence


def _cancel(session: RunSession, request: Request) -> Answer:
    rollback_id = session.rollbacks.under_way
    if rollback_id is not None:
        read = partial(rollbacks.read, rollback_id=rollback_id)
        raise being_rolled_back(session.executor.database.read(read))
    if session.stopped:
        raise Refused(f"Run {session.context.id} is ending already: {session.stopped}")
    session.stop(f"cancelled by {request.actor}")
    return lambda: f"Run {session.context.id} is being cancelled"


def _rollback(session: RunSession, request: Request) -> Answer:
    """Stop the run and queue the rollback; the answer is its id."""
    executor = session.executor
    demand = RollbackDemand.from_payload(request.payload)
    applicant = applicant_of(executor, request.actor)
    event = executor.database.read(
        lambda connection: accept(connection, session.context, demand, applicant)
    )
    session.stop(f"stopped by {request.actor} for a rollback to '{event.rollback_to_stage}'")
    queued = session.rollbacks.insert(event, session.turns.present)
    return lambda: str(queued.id)


def _halt(session: RunSession, request: Request) -> Answer:
    rollback_id = int(request.payload["rollback"])
    session.rollbacks.halt(rollback_id, request.actor, request.payload.get("reason", ""))
    return lambda: f"Rollback {rollback_id} is being halted"


def _decide_step(session: RunSession, request: Request) -> Answer:
    decision = StepDecision.from_payload(request.payload, request.actor)
    rollback_id = int(request.payload["rollback"])
    session.rollbacks.decide(rollback_id, decision, session.turns.present)
    return lambda: f"Rollback {rollback_id} goes on: {decision.sentence}"


_HANDLERS: Mapping[CommandKind, Handler] = MappingProxyType(
    {
        CommandKind.APPROVE: partial(_decide, Decision.APPROVED),
        CommandKind.REJECT: partial(_decide, Decision.REJECTED),
        CommandKind.CANCEL: _cancel,
        CommandKind.ROLLBACK: _rollback,
        CommandKind.HALT: _halt,
        CommandKind.STEP: _decide_step,
    }
)
