"""What other programs may import stays where it is."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

import orchestrate_tui
from orchestrate_tui import PipelineExecutor, RollbackEvent, store


def test_the_public_names_are_these() -> None:
    assert orchestrate_tui.__all__ == [
        "PipelineExecutor",
        "RollbackEvent",
        "RollbackStatus",
        "RollbackTriggerType",
    ]


@pytest.mark.parametrize("name", orchestrate_tui.__all__)
def test_every_public_name_is_a_class_of_that_name(name: str) -> None:
    assert getattr(orchestrate_tui, name).__name__ == name


def test_another_name_does_not_exist() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'ghost'"):
        _ = orchestrate_tui.ghost


@pytest.mark.parametrize("name", ["create_run", "execute_run", "plan_rollback", "trigger_rollback"])
def test_the_executor_can_be_asked_for(name: str) -> None:
    assert callable(getattr(PipelineExecutor, name))


@pytest.mark.parametrize(
    "name",
    [
        "insert_rollback_event",
        "get_rollback_event",
        "update_rollback_event",
        "list_rollback_events",
        "count_rollback_events_for_stage",
    ],
)
def test_the_store_offers_rollback_events_database_first(name: str) -> None:
    parameters = list(inspect.signature(getattr(store, name)).parameters)
    assert parameters[0] == "database"


def test_a_rollback_event_has_the_columns_of_its_table() -> None:
    assert {field.name for field in fields(RollbackEvent)} >= {
        "id",
        "run_id",
        "failed_stage_name",
        "rollback_to_stage",
        "trigger_type",
        "status",
        "error_message",
        "started_at",
        "completed_at",
        "created_at",
    }


@pytest.mark.parametrize("name", ["mark_running", "mark_succeeded", "mark_failed"])
def test_a_rollback_event_can_be_marked(name: str) -> None:
    returned = inspect.signature(getattr(RollbackEvent, name)).return_annotation
    assert returned == "RollbackEvent"
