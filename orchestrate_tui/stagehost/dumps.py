"""Lines in which programs print bytes by number, as xxd, hexdump, od and tcpdump -X do.

Each begins with the place of its bytes, and may end with their characters. What stands in such
lines is cut in two wherever one ends. Other lines look like them: how they read is never all that
they say.
"""

from __future__ import annotations

import re

SIGN = b"\n"
"""What a line begins with here: the end of the one before it."""

MOST_BYTES = 256
"""In a line; xxd prints no more."""

_PLACE = rb"[ \t]{0,8}(?:(?:0x)?HEX{4,16}(?::[ \t]{1,4}| - )|HEX{6,16}[ \t]{1,4})"
_HALVES = rb"HEX{2}(?: HEX{2}){7}(?:  |-)HEX{2}(?: HEX{2}){0,7}"
_GROUPS = rb"(?:HEX{2}){1,MOST}+(?: (?:HEX{2}){1,MOST}+){0,MOST}+"
_CHARACTERS = rb"(?:  |-(?= ))[^\n]{0,1100}+"  # and the blanks before them in a short last line
_GUTTER = rb"(?:CHARACTERS|[ \r]{0,2})"
_CELL = rb"[ ](?:  [ -~]| \\[0abfnrtv]| sp|[0-7]{3})"
_CELLS = rb"(?:CELL){1,MOST}"
_CELL_PLACE = rb"HEX{6,16}"
_BEGUN = (
    rb"[ \t]{0,8}(?:0x|HEX)HEX{0,16}"
    rb"(?:(?<=HEX{4})[ :][ \t-]{0,4}"
    rb"(?:HEX{1,512}+(?:[ -]HEX{1,512}+){0,MOST}+(?:CHARACTERS|[ \r-]{0,2}))?"
    rb"|(?<=HEX{6})(?:CELL){0,MOST}+(?:[ ]{1,3}[\\s]?[0-7]{0,2}|[ \r]{0,4}))?\Z"
)
_NEXT = rb"\n[ \t]{0,8}\Z"


def _filled(template: bytes, *parts: bytes) -> bytes:
    filled = (template % parts).replace(b"CHARACTERS", _CHARACTERS).replace(b"CELL", _CELL)
    return filled.replace(b"MOST", b"%d" % MOST_BYTES).replace(b"HEX", b"[0-9A-Fa-f]")


_LINE = re.compile(
    _filled(
        rb"\n(?=[ \t]{0,8}(?:0x?\Z|(?:0x)?HEX{1,3}(?:HEX|\Z)))"
        rb"(?:(?:%b(?:%b|%b)%b|%b%b[ \r]{0,4})(?:%b|(?=\n))|%b)",
        *(_PLACE, _HALVES, _GROUPS, _GUTTER, _CELL_PLACE, _CELLS, _NEXT, _BEGUN),
    )
)
"""What looks like such a line, or like the beginning of one at the end."""

_NUMBERED = tuple(
    re.compile(_filled(rb"\n(%b)(%b)(%b)\Z", _PLACE, digits, _GUTTER))
    for digits in (_HALVES, _GROUPS)
)
_SPELT = re.compile(_filled(rb"\n%b(%b)[ \r]{0,4}\Z", _CELL_PLACE, _CELLS))
_EACH_CELL = re.compile(_CELL)
_AT_THE_END = re.compile(_NEXT)
_OCTAL_WORDS = re.compile(rb"[0-7]{6}(?: [0-7]{6})*")
_SIGNS = dict(zip(b"0abfnrtv", b"\0\a\b\f\n\r\t\v", strict=True))


def split(data: bytes) -> list[bytes]:
    """Data in pieces, every other of which is such a line, or the beginning of one at the end.

    It has the end of the line before it, and its own if the data end with that: another one may
    follow.
    """
    pieces: list[bytes] = []
    at = 0
    for found in _LINE.finditer(data):
        is_begun = found.end() == len(data) and goes_on(found[0])
        if is_begun or meaning(found[0]):
            pieces += (data[at : found.start()], found[0])
            at = found.end()
    return [*pieces, data[at:]]


def goes_on(piece: bytes) -> bool:
    """Whether such a piece, at the end of the data, is only the beginning of a line."""
    return not _AT_THE_END.search(piece)


def line_of(piece: bytes) -> bytes:
    """The line without its own end, but with that of the one before."""
    return _AT_THE_END.sub(b"", piece)


def meaning(piece: bytes) -> bytes:
    """The bytes that a line prints; none when they cannot be told, or are fewer than characters."""
    line = line_of(piece)
    for pattern in _NUMBERED:
        if numbered := pattern.match(line):
            place, digits, gutter = numbered.groups()
            printed = _numbered(digits, in_order=b":" in place or b"-" in place)
            if len(_characters(gutter)) <= len(printed):
                return printed
    if spelt := _SPELT.match(line):
        return bytes(map(_character, _EACH_CELL.findall(spelt[1])))
    return b""


def _characters(gutter: bytes) -> bytes:
    """What stands beside the digits, but for the blanks around it."""
    shown = gutter.removeprefix(b"-").strip(b" \r")
    is_framed = len(shown) > 1 and shown[:1] + shown[-1:] in (b"||", b"><")
    return shown[1:-1] if is_framed else shown


def _numbered(digits: bytes, *, in_order: bool) -> bytes:
    """The bytes of groups of digits; where they are not in order, the last one stands first."""
    if not in_order and _OCTAL_WORDS.fullmatch(digits):
        return b"".join(int(group, 8).to_bytes(3, "little")[:2] for group in digits.split())
    each = (bytes.fromhex(group.decode()) for group in digits.replace(b"-", b" ").split())
    return b"".join(each if in_order else (one[::-1] for one in each))


def _character(cell: bytes) -> int:
    text = cell[1:].lstrip(b" ") or b" "
    if text == b"sp":
        return ord(" ")
    if len(text) == len(b"000"):
        return int(text, 8) & 0xFF
    return _SIGNS[text[1]] if text[:1] == b"\\" and len(text) > 1 else text[0]
