"""Text that means harm, a pipeline with it in every field, and what finds it in a terminal."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrate_tui.domain.pipeline import Pipeline
from orchestrate_tui.errors import PipelineFileError
from orchestrate_tui.spec import load_pipeline, parse_pipeline
from orchestrate_tui.store.definitions import decode_pipeline, encode_pipeline

PAYLOADS: Mapping[str, str] = {
    "title": "\x1b]0;{m}\x07",
    "clipboard": "\x1b]52;c;{m}\x07",
    "hyperlink": "\x1b]8;;http://{m}\x1b\\link\x1b]8;;\x1b\\",
    "cursor": "\x1b[2J{m}\x1b[7331;7331H\x1b[9A",
    "device control": "\x1bP$q{m}\x1b\\",
    "application commands": "\x1b_{m}\x1b\\\x1b^p\x1b\\\x1bXs\x1b\\",
    "reset": "\x1bc\x1b#8\x1b7{m}\x1b8",
    "questions": "\x1b[6n\x1b[c\x1b[21t\x05{m}",
    "modes": "\x1b[?1049l{m}\x1b[?1000h\x1b[4h",
    "hidden": "\x1b[8m{m}\x1b[5m",
    "C1": "\x9b2J{m}\x9d0;t\x9c\x90q\x9f",
    "C0": "\b\b\b\r{m}\x7f\x0b\x0c\x0e\x0f\x00"[:-1],
    "lines": "\n{m}\u2028forged\u2029\x85",
    "directions": "\u202e{m}\u2066\u2069\u200f\u061c",
    "nothing": "\u200b{m}\u200d\ufeff\u3164",
    "less": "\u2060{m}\u00ad\u115f",
    "tags": "{m}\U000e0065\U000e0076\U000e007f\ufe0f\U000e0100",
    "towers": "{m}" + "\u0301\u0327" * 4,
    "unassigned": "{m}\ue000\U0010fffd\u0378\ufffe"[:-1],
    "wide": "構{m}築\U0001f525",
    "markup": "[red]{m}[/red][/][$x]",
    "action": "[@click=app.quit]{m}[/]",
    "link": "[link='http://x']{m}[/link]",
    "unfinished": "{m}\x1b",
    "passed through": "{m}\x1bPtmux;\x1b\x1b]52;c;t\x07\x1b\\\x1bP\x1b]0;t\x07\x1b\\",
    "graphics": "{m}\x1b_Ga=T,f=24;t\x1b\\\x1bPq#0~\x1b\\\x1b]1337;File=inline=1:t\x07",
    "desktop": "{m}\x1b]9;t\x07\x1b]777;notify;t;t\x1b\\\x1b]99;;n\x1b\\\x1b]7;file:///\x07",
    "colours and fonts": "{m}\x1b]4;1;?\x07\x1b]10;#000\x07\x1b]50;?\x07\x1b]104\x07",
    "end of paste": "\x1b[201~{m}\r\x1b[200~\x1b[?2004l",
    "answers": "{m}\x1b[>4;2m\x1bP1;1|17/t\x1b\\\x1b[>q\x1b[?996n\x1bP+q544e\x1b\\",
    "character sets": "\x1b(0{m}\x0f\x1b%@\x1b)0\x0e\x1b[?42h",
    "margins": "{m}\x1b[2;3r\x1b[?69h\x1b[1;2s\x1b[3J\x1b[99S\x1b[20h\x1bM\x1b#3",
    "cut in two": "\x1b[\x1b[\x1b[3{m}\x18\x1a\x1b\x1b]0;\x1b[2J\x1b\x1b",
    "C1 strings": "\x9d52;c;{m}\x9c\x98\x9e\x85",
    "print": "\x1b[5i{m}\x1b[4i\x1b[0i\x1b#8\x1b[12l\x1b[2;1y",
    "separators": "\x1c{m}\x1d\x1e\x1f\x0b\x0c\x85\u2028",
    "fillers": "\uffa0{m}\u17b4\ufff9\U0001d173",
    "flags": "{m}\U0001f1fa\U0001f1f8\U0001f1f7\u270b\U0001f3ff",
    "escaped markup": "\\[red]{m}\\[/]\\[/red][[bold]][not a tag][/nothing][link=x",
    "templates": "{{{m}}}%s%n$(id)`id`:skull:&lt;b&gt;{0}",
}
"""Each with a place for a mark that tells where it was."""

BYTES = b"\xff\xfe\x9b2J\xc2\x1b]0;{m}\x07\xed\xa0\x80"
"""No valid UTF-8; this can only be in logs and the names of files."""

FIELDS = (
    *("nam", "dsc", "var", "agt", "stg", "tsk", "env", "apr", "und", "prg", "whn"),
    *("brn", "lbl", "chg", "evt", "val", "rsn", "cmt", "log"),
)
"""Where it can stand, by the first letters of the marks."""

PIPELINE = """\
name: {nam}
description: {dsc}
variables: {{note: {var}}}
agents:
  {agt}: {{shell: 'printf "%s\\n" "$ORCHESTRATE_TASK"; cat log 2>/dev/null || true'}}
  {prg}: {{command: [{prg}, "${{task}}"]}}
stages:
  - name: {stg}
    agent: {agt}
    task: {tsk}
    environment: {env}
    rollback: {{agent: {agt}, task: {und}}}
  - {{name: skipped, agent: {agt}, task: {tsk}, when: {{branch: {whn}}}}}
  - {{name: gate, agent: {agt}, task: {tsk}, requires_approval: true, approvers: [{apr}]}}
  - {{name: broken, agent: {prg}, task: {tsk}}}
"""


def marked(kind: str, field: str) -> str:
    """The payload with the mark that is its own in that field."""
    return PAYLOADS[kind].replace("{m}", mark(kind, field))


def mark(kind: str, field: str) -> str:
    return f"{field}{list(PAYLOADS).index(kind):02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """A pipeline that can be run, with a payload in every field that it has."""

    pipeline: Pipeline
    source: str
    file: str


def hostile(kind: str, folder: Path) -> Hostile:
    """The payload in every field: through a file where the format takes it, by force elsewhere.

    An older version, or whoever can write the database, may have let into names what a file
    may not say today.
    """
    refused = [field for field in FIELDS if not _is_taken(kind, field)]
    source = _file(kind, set(FIELDS) - set(refused))
    path = folder / f"{marked(kind, 'fil').replace('/', '|')}.yaml"
    path.write_text(source, "utf-8")
    body, _ = encode_pipeline(load_pipeline(path).pipeline)
    for field in refused:
        forced = marked(kind, field).replace("/", "|")
        body = body.replace(f'"{mark(kind, field)}"', json.dumps(forced, ensure_ascii=False))
    return Hostile(pipeline=decode_pipeline(body), source=source, file=str(path))


def _is_taken(kind: str, field: str) -> bool:
    try:
        parse_pipeline(_file(kind, {field}))
    except PipelineFileError:
        return False
    return True


def _file(kind: str, hostile_fields: Collection[str]) -> str:
    """A pipeline with the payload in these fields, and in the others only the mark."""
    fields = {
        field: quoted(marked(kind, field) if field in hostile_fields else mark(kind, field))
        for field in FIELDS
    }
    return PIPELINE.format_map(fields)


def quoted(text: str) -> str:
    """A scalar of YAML that is this text."""
    written = (
        one if one.isprintable() and one not in '"\\' else f"\\U{ord(one):08x}" for one in text
    )
    return f'"{"".join(written)}"'


_CONSOLE = re.compile(
    r"\x1b\[[0-9;]*m|\x1b\[\d+;\d+H|\x1b\[\?(?:7|25|100\d|101\d|1049|2004|2026|2048)(?:[hl]|\$p)"
    r"|\x1b\[[<>]\d*u|[\r\n]"
)
_COMMAND = re.compile(r"\x1b\[[0-9;]*m|[\r\n]")
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_BLANK = set("\u034f\u115f\u1160\u3164\uffa0") | {chr(n) for n in range(0xFE00, 0xFE10)}
_LONGEST_TOWER = 4


def damage(stream: bytes, *, of_console: bool) -> list[str]:
    """What in the bytes of a terminal only a payload can have brought."""
    return list(dict.fromkeys(_damage(stream, _CONSOLE if of_console else _COMMAND)))


def _damage(stream: bytes, own: re.Pattern[str]) -> Iterator[str]:
    text = stream.decode("utf-8", "surrogateescape")
    for sequence in own.findall(text):
        codes = re.split("[;m]", sequence[2:]) if sequence.endswith("m") else []
        if "7331" in sequence or _hides(codes):
            yield repr(sequence)
    rest = own.sub("", text)
    for found in re.finditer(r"[^ -~]", rest):
        one = found[0]
        if unicodedata.category(one) in _INVISIBLE or one in _BLANK or one >= "\U000e0000":
            yield repr(rest[found.start() : found.start() + 6])
    marks = 0
    for one in rest:
        marks = marks + 1 if unicodedata.category(one) in {"Mn", "Me"} else 0
        if marks > _LONGEST_TOWER:
            yield "a tower of marks"


def _hides(codes: list[str]) -> bool:
    """Whether SGR codes ask for blinking or hidden text; parts of a colour do not count."""
    numbers = iter(codes)
    for code in numbers:
        if code in {"38", "48"}:
            for _ in range(1 if next(numbers, "") == "5" else 3):
                next(numbers, "")
        elif code in {"5", "6", "8"}:
            return True
    return False
