from __future__ import annotations

import pytest

from orchestrate_tui.domain.rehearsal import RehearsalReport


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (RehearsalReport(), ""),
        (RehearsalReport(cascade=False), "that stage alone"),
        (RehearsalReport(components=("api", "web"), release=7), "only api, web, back to release 7"),
        (RehearsalReport(definition="0f3a"), "as another file says"),
    ],
)
def test_a_rehearsal_says_of_what_it_was_not_the_whole(report: RehearsalReport, told: str) -> None:
    assert report.narrowing == told
