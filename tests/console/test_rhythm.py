from __future__ import annotations

from orchestrate_tui.console.rhythm import (
    LOOKS_PER_ROUND,
    LOOKS_PER_SECOND,
    ROUNDS_PER_CHECK,
    Rhythm,
)


class Clockwork:
    """A timer that only knows whether it goes."""

    def __init__(self) -> None:
        self.goes = True

    def pause(self) -> None:
        self.goes = False

    def resume(self) -> None:
        self.goes = True


def test_the_slow_timer_takes_over_after_a_second_in_vain() -> None:
    quick, slow = Clockwork(), Clockwork()
    rhythm = Rhythm(quick, slow)
    for _ in range(LOOKS_PER_SECOND):
        assert (quick.goes, slow.goes) == (True, False)
        rhythm.found(something=False)
    assert (quick.goes, slow.goes) == (False, True)
    assert rhythm.rests


def test_what_is_found_brings_the_quick_timer_back_for_a_second() -> None:
    quick, slow = Clockwork(), Clockwork()
    rhythm = Rhythm(quick, slow)
    for _ in range(LOOKS_PER_SECOND + 3):
        rhythm.found(something=False)
    rhythm.found(something=True)
    assert (quick.goes, slow.goes, rhythm.rests) == (True, False, False)
    for _ in range(LOOKS_PER_SECOND - 1):
        rhythm.found(something=False)
    assert quick.goes


def test_others_are_asked_as_often_at_rest_as_before() -> None:
    rhythm = Rhythm(Clockwork(), Clockwork())
    busy = [rhythm.next_is_round() for _ in range(LOOKS_PER_SECOND)]
    assert sum(busy) == LOOKS_PER_SECOND // LOOKS_PER_ROUND
    for _ in busy:
        rhythm.found(something=False)
    assert all(rhythm.next_is_round() for _ in busy)


def test_what_hardly_ever_changes_is_asked_for_twice_a_second() -> None:
    rhythm = Rhythm(Clockwork(), Clockwork())
    looks = 2 * LOOKS_PER_SECOND
    checks = sum(rhythm.next_is_round() and rhythm.is_check for _ in range(looks))
    assert checks == looks // (LOOKS_PER_ROUND * ROUNDS_PER_CHECK)
