"""What an undo needs of the release that it goes back to, and how releases are named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from orchestrate_tui.domain.pipeline import Agent, AgentKind, HttpRequest, Undo
from orchestrate_tui.domain.release import (
    NO_EARLIER_RELEASE,
    Quarantine,
    Release,
    Succession,
    lacks,
    variables_of,
)

UNDO = Undo(task="back")
REQUEST = HttpRequest(method="POST", url="http://127.0.0.1/back")
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
EARLIER = Release(
    id=7,
    pipeline="shop",
    environment="live",
    run_id=4,
    stage_name="deploy",
    version="1.10",
    outputs=(("image-tag", "shop:1.10"),),
    created_at=NOON,
)


def http_agent(request: HttpRequest) -> Agent:
    return Agent(name="undoer", kind=AgentKind.HTTP, http=request)


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, url="http://127.0.0.1/${previous.version}"),
        replace(REQUEST, body="to=${previous.version}"),
        replace(REQUEST, headers=(("X-Release", "${previous.version}"),)),
    ],
)
def test_a_request_that_names_the_earlier_release_needs_one(request_: HttpRequest) -> None:
    assert lacks(UNDO, http_agent(request_), Succession()) == NO_EARLIER_RELEASE


def test_a_request_that_names_none_needs_none() -> None:
    assert lacks(UNDO, http_agent(REQUEST), Succession()) == ""


def test_an_undo_can_name_the_outputs_of_a_release_its_version_and_its_ids() -> None:
    known = {"release": "7", "run_id": "4", "version": "1.10", "image-tag": "shop:1.10"}
    assert EARLIER.values == known
    assert "version" not in replace(EARLIER, version="").values


def test_a_script_has_the_values_of_the_release_in_its_environment() -> None:
    assert variables_of({"image-tag": "shop:1.10", "release": "7"}) == {
        "ORCHESTRATE_PREVIOUS_IMAGE_TAG": "shop:1.10",
        "ORCHESTRATE_PREVIOUS_RELEASE": "7",
    }


def test_what_the_earlier_release_does_not_have_is_named() -> None:
    undo = Undo(task="${previous.version} ${previous.tag} $ORCHESTRATE_PREVIOUS_DIGEST")
    found = lacks(undo, None, Succession(earlier=EARLIER))
    assert found == "release 7 has no 'tag' and no 'DIGEST'"


def test_an_earlier_release_with_all_that_is_named_is_enough() -> None:
    undo = Undo(task="${previous.image-tag} $ORCHESTRATE_PREVIOUS_IMAGE_TAG")
    assert lacks(undo, None, Succession(earlier=EARLIER)) == ""


def test_the_place_of_a_release_names_the_component_if_it_is_only_that() -> None:
    assert (EARLIER.place, replace(EARLIER, component="web").place) == ("live", "live/web")


def test_a_release_is_golden_as_long_as_somebody_vouches_for_it() -> None:
    assert replace(EARLIER, pinned_by="kim").is_golden
    assert not EARLIER.is_golden


def test_a_quarantine_says_which_rollback_took_the_version_back_and_from_where() -> None:
    found = Quarantine(
        id=1,
        pipeline="shop",
        environment="live",
        component="web",
        version="2",
        run_id=5,
        rollback_id=3,
        created_at=NOON,
    )
    assert found.place == "live/web"
    assert found.sentence == (
        "was taken back in live/web by rollback 3 of run 5 and is quarantined there"
    )
