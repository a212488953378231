"""Who drives the chosen run, and who watches, in one line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from textual.content import Content

from orchestrate_tui.console.marks import Tone
from orchestrate_tui.console.run_picture import RunPicture
from orchestrate_tui.console.styled import joined, toned
from orchestrate_tui.domain.presence import Mode, Person


def company(people: Iterable[Person], picture: RunPicture | None, *, me: int = 0) -> Content:
    """Who is there besides; nothing to tell where nobody is and nothing is under way.

    `me` is this process; 0 means the one that asks.
    """
    me, known = me or os.getpid(), tuple(people)
    return joined(_told(known, picture, me))


def _told(people: tuple[Person, ...], picture: RunPicture | None, me: int) -> Iterator[Content]:
    driver = None
    if picture is not None and picture.is_driven:
        driver = next((one for one in people if picture.driver in one.epochs), None)
        yield toned(f"driven by {_driver(driver, me)}", Tone.QUIET)
    others = [one for one in people if one.mode is not Mode.COMMAND and one.pid != me]
    watching = [_watcher(one) for one in others if one != driver]
    if watching:
        yield toned(f"watching: {', '.join(watching)}", Tone.QUIET)


def _driver(driver: Person | None, me: int) -> str:
    if driver is None:
        return "a process that cannot be seen"
    if driver.pid == me:
        return "this console"
    return f"{driver.name} ({', '.join(filter(None, (f'pid {driver.pid}', driver.place)))})"


def _watcher(one: Person) -> str:
    mode = "read-only" if one.mode is Mode.READ_ONLY else ""
    notes = ", ".join(filter(None, (one.place or f"pid {one.pid}", mode)))
    return f"{one.name} ({notes})"
