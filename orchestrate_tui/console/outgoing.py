"""The last guard: only the sequences that draw the console's own screens reach the terminal."""

from __future__ import annotations

import re

from orchestrate_tui.domain.text import visible

_OWN = (
    r"\[(?:"
    r"[0-9;]*m"  # colours and weights
    r"|[0-9]+;[0-9]+H"  # places
    r"|\?(?:7|25|100[0-6]|101[56]|1049|2004|2026|2048)(?:[hl]|\$p)"  # modes of the whole screen
    r"|[<>][0-9]*u"  # how keys are reported
    r")"
)
_STEERING = (
    "\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_FOREIGN = re.compile(rf"[{_STEERING}](?<!\x1b(?={_OWN}))")
_BELL = "\x07"


def guarded(data: str) -> str:
    """What may be written of `data`; the first character of anything else becomes visible.

    A command to the system around the terminal (clipboard, title, pointer) is left out whole.
    """
    if data.startswith("\x1b]"):
        return ""
    if data == _BELL or not _FOREIGN.search(data):
        return data
    return _FOREIGN.sub(lambda found: visible(found[0]), data)
