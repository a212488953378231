"""Masking: every form of a secret, wherever it stands and however it comes in pieces."""

from __future__ import annotations

import base64
import html.entities
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrate_tui.stagehost import dumps, masking
from orchestrate_tui.stagehost.masking import MaskedStream, Masker, decode_forms, encode_forms
from orchestrate_tui.stagehost.secret_forms import forms_of

ROOT = Path(__file__).parents[3]
VALUE = b"p4ss/w+rd \"\xc3\xa4?'x"
KEY = (
    b"-----BEGIN KEY-----\n" + b"\n".join([b"q" * 64, b"w" * 64, b"e5F="]) + b"\n-----END KEY-----"
)
TEXT = VALUE.decode()
TOKEN = b"tok-3f9c1d"


def masker(*values: bytes) -> Masker:
    return Masker(forms_of(values))


def streamed(of: Masker, pieces: Iterable[bytes]) -> bytes:
    stream = MaskedStream(of)
    return b"".join(map(stream.feed, pieces)) + stream.finish()


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        VALUE.hex().encode(),
        VALUE.hex().upper().encode(),
        quote(TEXT, safe="").encode(),
        quote(TEXT).encode(),
        quote_plus(TEXT).encode(),
        quote(TEXT, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%C3%A4", "%c3%a4")
        .replace("%3F", "%3f").encode(),
        "".join(f"%{byte:02X}" for byte in VALUE).encode(),
        json.dumps(TEXT)[1:-1].encode(),
        json.dumps(TEXT, ensure_ascii=False)[1:-1].encode(),
        json.dumps(TEXT)[1:-1].replace("/", "\\/").encode(),
        json.dumps(TEXT)[1:-1].replace("\\u00e4", "\\u00E4").encode(),
        quote(TEXT, safe="").replace("%2F", "%2f", 1).encode(),
        quote(TEXT, safe="").replace("%2B", "%2b").replace("%C3", "%c3").encode(),
        quote(TEXT, safe="").replace("%C3", "%cC").replace("%cC", "%C3").replace("%3F", "%3f")
        .encode(),
        b"".join(b"%%%02X%%%02x" % pair for pair in zip(VALUE[::2], VALUE[1::2], strict=True)),
        VALUE.hex().encode().swapcase()[:9] + VALUE.hex().encode()[9:],
        VALUE.hex(":").encode(),
        VALUE.hex("-").upper().encode(),
        VALUE.hex(" ").encode(),
    ],
)  # fmt: skip
def test_a_secret_is_masked_in_every_form(form: bytes) -> None:
    assert masker(VALUE).mask(b"before " + form + b" after") == b"before *** after"


ODD = "a^b{c \"d|e`f'<&>=$\\of+%41/ä🔥"
UNITS = [ODD.encode("utf-16-be")[at : at + 2].hex() for at in range(0, len(ODD) * 2 + 2, 2)]


NAMES = {chr(number): name for number, name in html.entities.codepoint2name.items()} | {
    "^": "Hat", "{": "lbrace", "|": "vert", "'": "apos", "=": "equals", "$": "dollar",
    "\\": "bsol", "+": "plus", "%": "percnt", "/": "sol", " ": "#32",
}  # fmt: skip


def percent(text: str, *, but: str = "", every: int = 1) -> bytes:
    """Every so-manieth character percent-encoded, but for those, and all that have to be."""
    return b"".join(
        one.encode() if one not in "%+ " and (at % every or one in but)
        else "".join(f"%{byte:02x}" for byte in one.encode()).encode()
        for at, one in enumerate(text)
    )  # fmt: skip


@pytest.mark.parametrize(
    "form",
    {
        "a query as browsers write it": percent(ODD, but="abcdef^{|`}'&=$\\+of41/"),
        "a path as browsers write it": percent(ODD, but="abcdef|'&=$\\of41/"),
        "every second letter": percent(ODD, every=2),
        "every third letter": percent(ODD, every=3),
        "twice": percent(percent(ODD).decode()),
        "the signs twice": percent(ODD).replace(b"%", b"%25"),
        "the signs four times": percent(ODD).replace(b"%", b"%252525"),
        "all letters by number": "".join(f"\\u{unit}" for unit in UNITS).encode(),
        "in capitals": "".join(f"\\u{unit.upper()}" for unit in UNITS).encode(),
        "JSON as .NET writes it": json.dumps(ODD)[1:-1].translate(
            {ord(one): f"\\u{ord(one):04X}" for one in "<>&'+`="}
        ).encode(),
        "JSON in JSON": json.dumps(json.dumps(json.dumps(ODD)[1:-1])[1:-1])[1:-1].encode(),
        "percents in JSON": json.dumps(percent(ODD).decode()).encode()[1:-1],
        "a shell's backslashes": re.sub(r"([^A-Za-z0-9_])", r"\\\1", ODD).encode(),
        "double quotes of a shell": re.sub(r'([$`"\\])', r"\\\1", ODD).encode(),
        "octal numbers": b"".join(b"\\%03o" % byte for byte in ODD.encode()),
        "hexadecimal numbers": b"".join(b"\\x%02x" % byte for byte in ODD.encode()),
        "base64 in a URL": quote(base64.b64encode(ODD.encode())).encode(),
        "base64 in JSON": base64.b64encode(ODD.encode()).replace(b"/", rb"\/"),
        "HTML": html.escape(ODD).encode(),
        "HTML in HTML": html.escape(html.escape(ODD)).encode(),
        "XML in capitals": "".join(f"&#x{ord(one):04X};" for one in ODD).encode(),
        "decimal entities": "".join(f"&#{ord(one)};" for one in ODD).encode(),
        "names where there are some": re.sub(
            r"[^A-Za-z0-9\U0001f525`]", lambda found: f"&{NAMES[found[0]]};", ODD
        ).encode(),
        "entities in JSON": json.dumps(html.escape(ODD)).encode()[1:-1],
        "code points": "".join(f"\\u{{{ord(one):x}}}" for one in ODD).encode(),
        "long code points": "".join(f"\\U{ord(one):08X}" for one in ODD).encode(),
    }.values(),
)  # fmt: skip
def test_no_choice_of_what_is_escaped_shows_a_secret(form: bytes) -> None:
    of = masker(ODD.encode())
    for size in (len(form), 1, 2, 9):
        pieces = [form[at : at + size] for at in range(0, len(form), size)]
        assert streamed(of, [b"before ", *pieces, b" after"]) == b"before *** after"


PAIRS = [f"{byte:02x}" for byte in VALUE]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (", ".join(f"0x{pair}" for pair in PAIRS), "0x***"),
        (" ".join(f"0x{pair.upper()}" for pair in PAIRS), "0x***"),
        (",".join(f"0x{pair}" for pair in PAIRS), "0x***"),
        (str(list(VALUE)), "[***]"),
        (str(list(VALUE)).replace(",", ""), "[***]"),
        (json.dumps([*VALUE], separators=(",", ":")), "[***]"),
    ],
)
def test_a_list_of_the_bytes_of_a_secret_is_masked(written: str, shown: str) -> None:
    text = f"before {written} after".encode()
    assert masker(VALUE).mask(text) == f"before {shown} after".encode()
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    assert streamed(masker(VALUE), pieces) == f"before {shown} after".encode()


@pytest.mark.parametrize("before", range(4))
def test_a_secret_in_a_command_as_powershell_takes_it_is_masked(before: int) -> None:
    command = base64.b64encode(("é" * before + TEXT + "; exit").encode("utf-16-le"))
    assert masker(VALUE).mask(command).count(b"***") == 1


@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("around", range(3))
def test_a_secret_that_is_encoded_in_what_is_encoded_is_masked(before: int, around: int) -> None:
    inner = base64.b64encode(b"u" * before + VALUE)
    assert masker(VALUE).mask(base64.b64encode(b"q" * around + inner + b'"}')).count(b"***") == 1


def od(*options: str) -> Callable[[bytes], bytes]:
    def dump(data: bytes) -> bytes:
        command = ["od", *options]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    return dump


def rows(data: bytes) -> list[bytes]:
    return [data[at : at + 16] for at in range(0, len(data), 16)]


def readable(row: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)


def like_xxd(data: bytes) -> bytes:
    return "".join(
        f"{number:07x}0: {row.hex(' ', -2):39}  {readable(row)}\n"
        for number, row in enumerate(rows(data))
    ).encode()


def like_hexdump(data: bytes) -> bytes:
    return "".join(
        f"{number:07x}0  {row[:8].hex(' ')}  {row[8:].hex(' '):23}  |{readable(row)}|\n"
        for number, row in enumerate(rows(data))
    ).encode()


def like_tcpdump(data: bytes) -> bytes:
    return "".join(
        f"\t0x{number:03x}0:  {row.hex(' ', -2)}  {readable(row)}\n"
        for number, row in enumerate(rows(data))
    ).encode()


def like_openssl(data: bytes) -> bytes:
    lines = [data[at : at + 15].hex(":") for at in range(0, len(data), 15)]
    return ("    " + ":\n    ".join(lines) + "\n").encode()


def like_an_array(data: bytes) -> bytes:
    lines = [
        ", ".join(f"0x{byte:02x}" for byte in data[at : at + 12]) for at in range(0, len(data), 12)
    ]
    return ("  " + ",\n  ".join(lines) + "\n").encode()


DUMPS: dict[str, Callable[[bytes], bytes]] = {
    "xxd": like_xxd,
    "xxd, coloured": lambda data: like_xxd(data).replace(b": ", b": \x1b[1;32m"),
    "hexdump -C": like_hexdump,
    "tcpdump -X": like_tcpdump,
    "openssl": like_openssl,
    "an array of C": like_an_array,
    "od": od(),
    "od -c": od("-c"),
    "od -x": od("-x"),
    "od -b": od("-b"),
    "od -t x1z": od("-A", "x", "-t", "x1z"),
    "od -t x8": od("-t", "x8"),
    "od -A n": od("-A", "n", "-t", "x1"),
}


BETWEEN = re.compile(rb"\t|\x1b\[1;32m")


@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS)
def test_a_secret_in_a_dump_of_bytes_is_masked_across_its_lines(
    dump: Callable[[bytes], bytes],
) -> None:
    for before in (0, 7, 13, 40):
        secret, rest = dump(b"u" * before + VALUE + b"w" * 50), dump(b"u" * before)
        text = b"$ dump it\n" + secret + b"$ "
        shown = masker(VALUE).mask(text)
        assert shown.count(b"***") == 1
        assert shown.startswith(b"$ dump it\n" + rest[: before // 16 * 20])
        assert not any(line in shown.split(b"***")[1] for line in secret.splitlines()[:1])
        for size in (1, 7, 64):  # blanks and colours before it may be shown already
            pieces = [text[at : at + size] for at in range(0, len(text), size)]
            in_pieces = streamed(masker(VALUE), pieces)
            assert BETWEEN.sub(b"", in_pieces) == BETWEEN.sub(b"", shown)


def wide_xxd(data: bytes) -> bytes:
    digits = data.hex(" ", -2)
    return f"00000000: {digits:639}  {readable(data)}\n".encode()


def wide_hexdump(data: bytes) -> bytes:
    return f"00000000  {data.hex(' '):767}  |{readable(data)}|\n".encode()


@pytest.mark.parametrize(
    "dump", [wide_xxd, wide_hexdump, *(od("-w256", f"-t{kind}") for kind in ("x1z", "x2", "c"))]
)
def test_a_secret_in_a_dump_of_very_wide_lines_is_masked(dump: Callable[[bytes], bytes]) -> None:
    for data in (b"u" * 233 + VALUE + b"u" * 6, VALUE + b"u"):
        text = dump(data)
        for size in (len(text), 1):
            pieces = [text[at : at + size] for at in range(0, len(text), size)]
            shown = streamed(masker(VALUE), pieces)
            assert re.fullmatch(rb"\*\*\*\n(0000\d+\n)?", shown)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("dump", DUMPS.values(), ids=DUMPS)
def test_a_dump_after_a_line_that_an_encoder_might_have_ended_is_masked(
    dump: Callable[[bytes], bytes], line_end: bytes
) -> None:
    line = b"5f" * 20 + line_end
    text, expected = line + dump(VALUE), line + masker(VALUE).mask(dump(VALUE))
    assert b"***" in expected
    for size in (len(text), 1):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        shown = streamed(masker(VALUE), pieces)
        assert BETWEEN.sub(b"", shown) == BETWEEN.sub(b"", expected)


@pytest.mark.parametrize(
    "line",
    [
        b"20261123 110000 - token %b\n",
        b"20261123 110000  %b\n",
        b"20261123 11:00:00 %b\n",
        b"00000000: 6f6b %b\n",
        b"00000000: 6f6b  %b\n",
        b"00000000  6f 6b  |%b|\n",
    ],
)
@pytest.mark.parametrize(
    "written",
    [
        b"tok-3f9c1d",
        b"tok-\x1b[31m3f9c1d",
        b"t\0o\0k\0-\x003\0f\x009\0c\x001\0d\0",
        rb"tok\-3f9c1d",
        b"tok&#45;3f9c1d",
        b"tok%2d3f9c1d",
    ],
)
def test_a_secret_in_a_line_that_only_looks_like_a_dump_is_masked(
    line: bytes, written: bytes
) -> None:
    text = b"before\n" + line % written
    for size in (len(text), 1, 3):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        shown = streamed(masker(TOKEN), pieces).replace(b"\0", b"").replace(b"\x1b[31m", b"")
        assert shown == b"before\n" + line % b"***"


@pytest.mark.parametrize("value", [rb"s-\e", rb"%41%42", b"&lt;", rb"a\nb/", b"00000000: 7034"])
def test_a_secret_that_looks_as_if_it_were_encoded_is_masked_in_a_dump(value: bytes) -> None:
    for before in (0, 14):
        text = like_xxd(b"u" * before + value)
        for size in (len(text), 5, 1):
            pieces = [text[at : at + size] for at in range(0, len(text), size)]
            assert streamed(masker(value), pieces) == b"***\n"


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_dump_with_which_the_output_ends_is_masked(end: bytes) -> None:
    text = like_xxd(VALUE)[:-1] + end
    assert masker(VALUE).mask(text) == b"***" + end
    assert streamed(masker(VALUE), [text]) == b"***" + end


def test_a_dump_of_something_else_stays_as_it_is() -> None:
    for dump in DUMPS.values():
        text = dump(b"nothing that is secret, but long enough for several lines")
        assert streamed(masker(VALUE), [text[:70], text[70:]]) == text


def test_lines_that_begin_like_a_dump_are_soon_shown() -> None:
    stream = MaskedStream(masker(VALUE))
    assert stream.feed(b"2026-11-23 09:14:51 go") == b"2026-11-23 09:14:51 go"
    assert stream.feed(b"\n1234567 commits\n") == b"\n1234567 commits\n"
    endless = b"\n00000000: 70 34 " + b"x" * 1000
    assert stream.feed(endless) == endless


@pytest.mark.parametrize(
    "line",
    [
        b"20261123 110000 - waiting for the load balancer\n",
        b"20261123 110000  waiting for the load balancer\n",
        b"123456 7890\n",
        like_xxd(b"nothing secret"),
        like_hexdump(b"nothing secret"),
        od("-c")(b"nothing secret").splitlines(keepends=True)[0],
    ],
)
def test_a_whole_line_is_shown_at_once_though_it_looks_like_a_dump(line: bytes) -> None:
    stream = MaskedStream(masker(VALUE))
    assert stream.feed(line) == line
    assert b"".join(stream.feed(bytes((byte,))) for byte in line) == line


def test_a_line_with_more_text_than_bytes_is_no_dump() -> None:
    assert dumps.split(b"\n20261123 110000  wait\n") == [b"\n20261123 110000  wait\n"]
    assert len(dumps.split(b"\n00000000: 7761 6974  wait\n")) == 3


def test_a_line_of_a_dump_that_may_be_the_beginning_of_a_secret_waits() -> None:
    stream = MaskedStream(masker(VALUE))
    first, second = like_xxd(b"u" * 12 + VALUE).splitlines(keepends=True)
    assert stream.feed(first) == b""
    assert stream.feed(second) == b"***\n"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "utf-16-be"])
def test_a_secret_in_another_encoding_is_masked(encoding: str) -> None:
    value = "Zürich-ä%41"
    of = masker(value.encode())
    text = "before ".encode(encoding) + value.encode(encoding) + " after".encode(encoding)
    for size in (len(text), 1, 3):
        shown = streamed(of, [text[at : at + size] for at in range(0, len(text), size)])
        assert shown.replace(b"\0", b"") == b"before *** after"
    assert of.mask(quote(value.encode("latin-1")).encode()) == b"***"


@pytest.mark.parametrize("line_break", [b"\n    ", rb"\n", rb"\r\n", rb"\\n"])
def test_an_encoded_secret_whose_lines_are_indented_or_quoted_is_masked(line_break: bytes) -> None:
    encoded = base64.b64encode(b"u" * 41 + TOKEN * 9 + b"u" * 50)
    text = line_break.join(encoded[at : at + 64] for at in range(0, len(encoded), 64))
    assert masker(TOKEN * 9).mask(text).count(b"***") == 1


def test_blanks_that_a_shell_takes_away_are_no_part_of_a_secret() -> None:
    of = masker(b"  two  words\t")
    assert of.mask(b"<two words> <two  words> <  two  words\t>") == b"<***> <***> <***>"


@pytest.mark.parametrize("before", [b"100%", b"C:\\", b"\\", b"%", b"a" * 41 + b"\n"])
@pytest.mark.parametrize("after", [b"41", b"u0041", b"x41", b"101", b"n", b""])
def test_what_stands_beside_a_secret_is_not_taken_for_a_part_of_it(
    before: bytes, after: bytes
) -> None:
    for value in (b"41abcdef", b"u0041bcdef", b" x41bcdef", b"101bcdef%", b"nabcdef\\"):
        shown = streamed(masker(value), [before, value, after])
        assert shown.startswith((before + b"***", before.rstrip(b"\n%\\") + b"***")), shown


@pytest.mark.parametrize("before", [b"%", b"%2", b"%2f", b"\\u", b"u00"])
def test_digits_of_an_escape_have_any_case_whatever_stands_before(before: bytes) -> None:
    value = b"fa/ce\xc3\xa4be\xc3\xbc"
    for form in (b"fa%2fce%C3%a4be%c3%BC", rb"fa/ce\u00e4be\u00FC", b"66612f6365C3A46265c3bc"):
        assert masker(value).mask(before + form + b"f") == before + b"***f"
        pieces = [bytes((byte,)) for byte in before + form + b"f"]
        assert streamed(masker(value), pieces) == before + b"***f"


def test_letters_of_another_case_are_no_secret() -> None:
    for text in (b"TOK-3F9C1D", b"P4ss%2fw%2brd", b"P4SS/W+RD", b"%2f%2F", b"deadBEEF"):
        assert masker(TOKEN, VALUE).mask(text) == text


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("after", [b"", b"\n", b"!", b"@h", b"@ho"])
@pytest.mark.parametrize("before", [b"", b"u", b"u:", b"us:", b"usr:"])
def test_a_secret_inside_a_base64_text_is_masked(
    before: bytes, after: bytes, encode: type[bytes]
) -> None:
    encoded = encode(before + VALUE + after)
    masked = masker(VALUE).mask(encoded)
    kept = [part.rstrip(b"=") for part in masked.split(b"***")]
    assert masked.count(b"***") == 1
    assert len(kept[0]) <= (len(before) * 8 + 5) // 6
    assert len(kept[1]) <= (len(after) * 8 + 5) // 6 + (1 if after else 0)


@pytest.mark.parametrize("line_break", [b"\n", b"\r\n"])
@pytest.mark.parametrize("width", [60, 64, 76])
@pytest.mark.parametrize("encode", [base64.b64encode, lambda text: text.hex().encode()])
def test_a_secret_that_an_encoder_wraps_is_masked_wherever_the_lines_end(
    encode: Callable[[bytes], bytes], width: int, line_break: bytes
) -> None:
    of = masker(TOKEN * 9)
    for before in range(0, 90, 7):
        encoded = encode(b"u" * before + TOKEN * 9 + b"u" * 90)
        lines = [encoded[at : at + width] for at in range(0, len(encoded), width)]
        text = line_break.join(lines)
        masked = of.mask(text)
        assert masked.count(b"***") == 1
        assert len(masked.replace(line_break, b"")) < len(encode(b"u" * (before + 90))) + 9
        assert streamed(of, [text[i : i + 3] for i in range(0, len(text), 3)]) == masked


def test_a_line_break_elsewhere_ends_what_may_be_a_secret() -> None:
    of = masker(TOKEN)
    assert of.mask(b"tok-\n3f9c1d") == b"tok-\n3f9c1d"
    assert MaskedStream(of).feed(b"say to\n") == b"say to\n"


def test_a_secret_of_several_lines_is_masked_as_a_whole_and_line_by_line() -> None:
    of = masker(KEY + b"\n")
    assert of.mask(KEY) == b"***"
    assert of.mask(KEY.replace(b"\n", b"\r\n")) == b"***"
    assert of.mask(json.dumps(KEY.decode()).encode()) == b'"***"'
    assert of.mask(b"  " + b"w" * 64 + b"\n") == b"  ***\n"
    assert of.mask(base64.b64encode(b"w" * 64)) == b"***"


def test_secrets_that_overlap_are_masked_whole() -> None:
    assert masker(b"abcdef", b"efghij", b"cdef").mask(b"abcdefghij") == b"***"
    assert masker(b"abcd", b"abcdefgh").mask(b"abcdefgh") == b"***"


def test_what_is_no_secret_stays_byte_for_byte() -> None:
    text = bytes(range(256)) * 300 + b"tok-3f9c1 tok-3f9c1c"
    assert masker(TOKEN).mask(text) == text
    assert streamed(masker(TOKEN), [text]) == text


@pytest.mark.parametrize(
    "text",
    [
        b"tok-\x1b[31m3f9c1d",
        b"\x1b[1mt\x1b[0mo\x1b[1mk\x1b[0m-\x1b[1;38:2:1m3f9c1d\x1b[m",
        b"tok-\x1b[01;31m\x1b[K3f9\x1b[m\x1b[Kc1d",
    ],
)
def test_colours_inside_a_secret_do_not_hide_it(text: bytes) -> None:
    masked = masker(TOKEN).mask(text)
    assert b"***" in masked
    assert b"".join(masking._COLOUR.split(masked)) == b"***"
    assert masking._COLOUR.findall(masked) == masking._COLOUR.findall(text)
    assert streamed(masker(TOKEN), [text[i : i + 1] for i in range(len(text))]).count(b"***") == 1


def test_what_begins_no_secret_is_not_held_back() -> None:
    stream = MaskedStream(masker(b"hunter22"))
    assert stream.feed(b"Password: ") == b"Password: "
    assert stream.feed(b"42%\r") == b"42%\r"
    assert stream.feed(b"\x1b[32") == b"\x1b[32"
    assert stream.feed(b"mhunter2") == b"m"
    assert stream.feed(b"0") == b"hunter20"
    assert stream.feed(b"hunter22!") == b"***!"


def test_the_beginning_of_a_secret_is_shown_when_nothing_follows() -> None:
    stream = MaskedStream(masker(TOKEN))
    assert stream.feed(b"to") == b""
    assert stream.finish() == b"to"


def test_what_comes_after_all_is_masked_too() -> None:
    stream = MaskedStream(masker(TOKEN))
    assert stream.feed(b"$ to") + stream.finish() == b"$ to"
    assert stream.feed(b"p: " + TOKEN) + stream.finish() == b"p: ***"
    assert stream.finish() == b""


def test_a_flood_of_colours_inside_a_secret_is_not_kept() -> None:
    stream = MaskedStream(masker(TOKEN))
    for _ in range(40):
        assert stream.feed(b"tok-" * (stream._held == b"") + b"\x1b[31m" * 1000) == b""
    assert len(stream._held) < 70_000
    assert stream.feed(b"3f9c1d!").startswith(b"***")


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[bytes], list[bytes]]:
    """Secrets, and a text full of them and of what is like them, cut anywhere."""
    alphabet = st.sampled_from(b"ab1/+ ")
    values = draw(
        st.lists(st.binary(min_size=4, max_size=12) | st.lists(alphabet, min_size=4, max_size=9)
                 .map(bytes), min_size=1, max_size=4)
    )  # fmt: skip
    forms = sorted(forms_of(values)) or [b"none"]
    piece = st.one_of(
        st.sampled_from(forms),
        st.sampled_from(forms).map(lambda form: form[: len(form) // 2]),
        st.lists(alphabet, max_size=6).map(bytes),
        st.sampled_from([b"\x1b[31m", b"\x1b[", b"\x1b", b"0m", b"\n", b"===", b"%2F"]),
    )
    text = b"".join(draw(st.lists(piece, max_size=12)))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return values, [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(scenes())
@settings(max_examples=300, deadline=None)
def test_no_form_is_shown_however_the_text_is_cut(scene: tuple[list[bytes], list[bytes]]) -> None:
    values, pieces = scene
    of = masker(*values)
    text = b"".join(pieces)
    shown = streamed(of, pieces)
    assert shown == of.mask(text)
    for form in of.forms:
        assert b"*" in form or not any(form in piece for piece in shown.split(b"***"))


SIGNS = st.text(alphabet="%\\ux0123dD8aA4cC5fn", max_size=24).map(str.encode)


@given(st.lists(SIGNS, max_size=6))
def test_escapes_that_end_anywhere_or_mean_nothing_are_shown_as_they_are(
    pieces: list[bytes],
) -> None:
    assert streamed(masker(b"swordfish"), pieces) == b"".join(pieces)


@pytest.mark.parametrize(
    "begun", [b"%u", b"%ud", b"%ud8", b"%ud83", b"\\u", b"\\ud8", b"\\x", b"\\1"]
)
def test_an_escape_that_is_cut_in_two_is_no_end(begun: bytes) -> None:
    assert streamed(masker(b"swordfish"), [b"a" + begun, b"z"]) == b"a" + begun + b"z"


def test_masking_piece_by_piece_alone_would_show_a_secret() -> None:
    of = masker(TOKEN)
    pieces = [b"x tok-3", b"f9c1d y"]
    assert b"".join(map(of.mask, pieces)) == b"x tok-3f9c1d y"
    assert streamed(of, pieces) == b"x *** y"


def test_a_masker_does_not_show_what_it_knows() -> None:
    of = masker(TOKEN)
    assert "tok" not in repr(of) + str(of) + repr(MaskedStream(of))


def test_forms_are_handed_over_as_they_are() -> None:
    forms = (b"", b"x", bytes(range(256)) * 3)
    assert tuple(decode_forms(encode_forms(forms))) == forms


def test_the_module_needs_nothing_but_the_standard_library() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
        "import orchestrate_tui.stagehost.masking; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    outside = {name.partition(".")[0] for name in done.stdout.split()} - sys.stdlib_module_names
    assert outside == {"__main__", "orchestrate_tui"}
