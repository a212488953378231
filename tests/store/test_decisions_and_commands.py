"""What people decide, and what one process asks of another."""

from __future__ import annotations

import pytest

from orchestrate_tui.domain.run import ApprovalRecord, Decision
from orchestrate_tui.errors import NotFound, Refused, StaleTransition
from orchestrate_tui.store.approvals import insert_approval
from orchestrate_tui.store.commands import (
    Command,
    CommandKind,
    CommandStatus,
    answer_command,
    insert_command,
    read_command,
    waiting_commands,
)
from orchestrate_tui.store.history import History
from tests.store.scenery import NOON, Store


def approval(run_id: int, entry: str = "lead", **details: str) -> ApprovalRecord:
    return ApprovalRecord(
        run_id=run_id,
        stage_name=details.get("stage_name", "deploy"),
        decision=Decision(details.get("decision", "approved")),
        entry=entry,
        actor=details.get("actor", "bob"),
        comment=details.get("comment", ""),
        decided_at=NOON,
    )


def decide(store: Store, record: ApprovalRecord) -> None:
    store.database.write(lambda connection: insert_approval(connection, record))


def ask(store: Store, run_id: int, key: str = "k1", **payload: str) -> int:
    return store.database.write(
        lambda connection: insert_command(
            connection,
            idempotency_key=key,
            run_id=run_id,
            kind=CommandKind.APPROVE,
            payload=payload,
            actor="bob",
            at=NOON,
        )
    )


def answer(store: Store, command: Command, outcome: str = "Approved") -> None:
    store.database.write(
        lambda connection: answer_command(connection, command, CommandStatus.DONE, outcome, NOON)
    )


def command(store: Store, command_id: int) -> Command:
    return store.database.read(lambda connection: read_command(connection, command_id))


def waiting(store: Store, run_id: int) -> tuple[Command, ...]:
    return store.database.read(lambda connection: waiting_commands(connection, run_id))


def test_a_decision_is_kept_and_recorded(store: Store, history: History) -> None:
    record = approval(store.new_run("deploy"), comment="looks good")
    decide(store, record)
    assert history.approvals(record.run_id) == (record,)
    event = history.events(record.run_id)[-1]
    assert (event.kind, event.stage_name, event.to_status) == ("approval", "deploy", "approved")
    assert (event.actor, event.detail) == ("bob", "lead: looks good")


def test_an_entry_is_decided_once(store: Store, history: History) -> None:
    run_id = store.new_run("deploy")
    decide(store, approval(run_id))
    before = history.last_event_id()
    with pytest.raises(Refused, match=f"'lead' .* stage 'deploy' of run {run_id} before"):
        decide(store, approval(run_id, decision="rejected", actor="carol"))
    assert [one.actor for one in history.approvals(run_id)] == ["bob"]
    assert history.last_event_id() == before


def test_other_entries_stages_and_runs_are_decided_by_themselves(
    store: Store, history: History
) -> None:
    run_id, other = store.new_run("deploy"), store.new_run("deploy")
    for record in (
        approval(run_id),
        approval(run_id, "@ops", decision="rejected"),
        approval(run_id, stage_name="release"),
        approval(other),
    ):
        decide(store, record)
    assert [one.entry for one in history.approvals(run_id)] == ["lead", "@ops", "lead"]
    assert len(history.approvals(other)) == 1


def test_a_command_waits_for_the_owner_of_its_run(store: Store) -> None:
    run_id, other = store.new_run(), store.new_run()
    first, second = ask(store, run_id, "k1", stage="build"), ask(store, run_id, "k2")
    ask(store, other, "k3")
    assert [one.id for one in waiting(store, run_id)] == [first, second]
    asked = waiting(store, run_id)[0]
    assert (asked.kind, asked.payload, asked.actor) == (
        CommandKind.APPROVE,
        {"stage": "build"},
        "bob",
    )
    assert (asked.status, asked.outcome) == (CommandStatus.PENDING, "")


def test_the_same_key_asks_nothing_new(store: Store) -> None:
    run_id = store.new_run()
    first = ask(store, run_id, stage="build")
    assert ask(store, run_id, stage="build") == first
    assert len(waiting(store, run_id)) == 1
    answer(store, command(store, first))
    assert ask(store, run_id, stage="build") == first
    assert waiting(store, run_id) == ()


def test_an_answer_is_kept_and_recorded(store: Store, history: History) -> None:
    run_id = store.new_run()
    command_id = ask(store, run_id)
    answer(store, command(store, command_id), "Approved stage 'build'")
    answered = command(store, command_id)
    assert (answered.status, answered.outcome) == (CommandStatus.DONE, "Approved stage 'build'")
    event = history.events(run_id)[-1]
    assert (event.kind, event.to_status, event.actor) == ("command", "done", "bob")
    assert event.detail == "approve: Approved stage 'build'"


def test_a_command_is_answered_once(store: Store, history: History) -> None:
    run_id = store.new_run()
    asked = command(store, ask(store, run_id))
    answer(store, asked, "first")
    before = history.last_event_id()
    with pytest.raises(StaleTransition, match=f"Command {asked.id} was answered before"):
        answer(store, asked, "second")
    assert command(store, asked.id).outcome == "first"
    assert history.last_event_id() == before


def test_what_is_unknown_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound, match="There is no command 9"):
        command(store, 9)
    with pytest.raises(NotFound, match="There is no run 99"):
        ask(store, 99)
