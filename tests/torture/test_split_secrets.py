"""Secrets in every form, cut into pieces at any place: what comes out holds none of them."""

from __future__ import annotations

import base64
import html
import json
import os
import random
import re
import signal
import string
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from orchestrate_tui.stagehost.masked_sink import MaskedSink
from orchestrate_tui.stagehost.masking import MaskedStream, Masker, encode_forms
from orchestrate_tui.stagehost.secret_forms import forms_of
from tests.torture.conftest import Amount, Figure

SECRET_LETTERS = string.ascii_letters + string.digits + "/+=-_.~ \"'\\%&<>?#äß€"
FASTEST_NOISE = string.ascii_lowercase.encode() + b"     \n"
TEXTS = 200
Show = Callable[[Masker, list[bytes]], bytes]


def piecewise(masker: Masker, pieces: list[bytes]) -> bytes:
    stream = MaskedStream(masker)
    return b"".join(map(stream.feed, pieces)) + stream.finish()


def each_by_itself(masker: Masker, pieces: list[bytes]) -> bytes:
    return b"".join(map(masker.mask, pieces))


def invented_secret(rng: random.Random) -> str:
    if rng.random() < 0.1:
        lines = ["".join(rng.choices(string.ascii_letters, k=64)) for _ in range(rng.randint(2, 5))]
        return "\n".join(("-----BEGIN KEY-----", *lines, "-----END KEY-----"))
    letters = "".join(rng.choices(SECRET_LETTERS, k=rng.randint(2, 40)))
    if len(letters.replace("\\", "")) < 2:  # it would be refused
        letters += "xy"
    return f"s{letters}e".replace("  ", " x")


def shifted(value: bytes, encode: Callable[[bytes], bytes], before: int) -> bytes:
    """The middle of an encoded text: what all of its bytes decide of the value alone."""
    encoded = encode(b"u" * before + value)
    start = (0, 2, 3)[before]
    return encoded[start : (before + len(value)) * 8 // 6]


def encodings(value: str) -> list[bytes]:
    """The forms that are promised, as other code than ours makes them."""
    data = value.encode()
    bases = [
        shifted(data, encode, before)
        for encode in (base64.b64encode, base64.urlsafe_b64encode)
        for before in range(3)
    ]
    texts = [
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        quote(value, safe="!~*'()"),
        quote(value, safe="$&+:=@"),
        quote_plus(value, safe="*").replace("~", "%7E"),
        "".join(f"%{byte:02x}" for byte in data),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        data.hex(),
        data.hex().upper(),
        "".join(f"%{byte:02{case}}" for byte, case in zip(data, cycle("xXX"), strict=False)),
        quote(value, safe="/?:@-._~!$&'()*,;=[]^`{|}"),
        "".join(f"\\u{unit:04x}" for unit in memoryview(value.encode("utf-16-le")).cast("H")),
        json.dumps(json.dumps(value)[1:-1])[1:-1],
        re.sub(r"(\W)", r"\\\1", value, flags=re.ASCII),
        *(data.hex(separator) for separator in " :-"),
        ", ".join(f"0x{byte:02X}" for byte in data)[2:],
        str(list(data))[1:-1],
        html.escape(value),
        "".join(f"&#x{ord(one):x};" if ord(one) % 2 else f"&#{ord(one)};" for one in value),
    ]
    wide = value.encode("utf-16-le")
    bases += [shifted(wide, base64.b64encode, before) for before in range(3)]
    bases += [shifted(base, base64.b64encode, before) for base in bases[:3] for before in range(3)]
    return [data, *bases, *(text.encode() for text in texts)]


def coloured(rng: random.Random, form: bytes) -> bytes:
    at = rng.randrange(1, len(form))
    return form[:at] + rng.choice([b"\x1b[31m", b"\x1b[1;4m\x1b[K", b"\x1b[0m"]) + form[at:]


def legible(shown: bytes) -> bytes:
    """What somebody reads who ignores colours and line breaks."""
    shown = shown.replace(b"\n", b"")
    for sequence in (b"\x1b[31m", b"\x1b[1;4m", b"\x1b[K", b"\x1b[0m"):
        shown = shown.replace(sequence, b"")
    return shown


def wrapped(value: str, before: int) -> bytes:
    """The value inside a text that a program encodes in lines, as base64 does."""
    return base64.encodebytes(b"u" * before + value.encode() + b"u" * 60)


def dumped(value: str, before: int) -> tuple[bytes, bytes]:
    """The value inside lines as xxd prints them, and those of them that hold some of it."""
    data = b"u" * before + value.encode() + b"u" * 20
    lines = [
        f"{at:08x}: {data[at : at + 16].hex(' ', -2):39}  {'.' * len(data[at : at + 16])}".encode()
        for at in range(0, len(data), 16)
    ]
    told = lines[before // 16 : (before + len(value.encode()) - 1) // 16 + 1]
    return b"\n" + b"\n".join(lines) + b"\n", b"".join(told)


def split(rng: random.Random, text: bytes) -> list[bytes]:
    """The text in pieces, mostly small ones."""
    pieces, at = [], 0
    while at < len(text):
        size = rng.choice([1, 2, 3, 5, 8, 30, 200])
        pieces.append(text[at : at + size])
        at += size
    return pieces


def noise(rng: random.Random) -> bytes:
    return bytes(rng.choices(FASTEST_NOISE, k=rng.randint(0, 30)))


def scenes(rng: random.Random, splits: int) -> Iterator[tuple[Masker, list[bytes], list[bytes]]]:
    """So many texts in pieces, with the masker for them and the forms that may stand in them."""
    values, masker, forms = [""], Masker(()), [b""]
    for number in range(splits):
        if number % TEXTS == 0:
            values = [invented_secret(rng) for _ in range(rng.randint(1, 5))]
            masker = Masker(forms_of(value.encode() for value in values))
            forms = [form for value in values for form in encodings(value) if len(form) >= 4]
        chosen = rng.choices(forms, k=3)
        parts = [coloured(rng, one) if rng.random() < 0.2 else one for one in chosen]
        parts.append(wrapped(rng.choice(values), rng.randrange(80)))
        dump, lines = dumped(rng.choice(values), rng.randrange(40))
        text = b"".join(noise(rng) + b" " + part + b" " for part in [*parts, dump])
        yield masker, split(rng, text), [*forms, lines]


def leaks(rng: random.Random, splits: int, show: Show) -> int:
    """How many texts showed one of the forms in them."""
    found = 0
    for masker, pieces, forms in scenes(rng, splits):
        shown = legible(show(masker, pieces))
        found += any(legible(form) in shown for form in forms)
    return found


@pytest.mark.attack("split secrets")
@pytest.mark.parametrize("part", range(4))
def test_no_form_of_a_secret_is_shown_however_it_is_split(
    rng: random.Random, amount: Amount, figure: Figure, part: int
) -> None:
    del part
    splits = amount(short=500, long=25_000)
    found = leaks(rng, splits, piecewise)
    figure("leaks", f"{found} of {splits} splits")
    assert found == 0


@pytest.mark.control("split secrets")
def test_masking_each_piece_by_itself_shows_them(
    rng: random.Random, amount: Amount, figure: Figure
) -> None:
    splits = amount(short=100, long=2_000)
    found = leaks(rng, splits, each_by_itself)
    figure("leaks", f"{found} of {splits} splits")
    assert found > splits // 2


class Straight:
    """The log of a stage as it is without a masking process."""

    def __init__(self, log: int, forms: bytes) -> None:
        del forms
        self.input = os.dup(log)
        self.pid = 0


def shown_by_killed(
    rng: random.Random, rounds: int, folder: Path, sink_of: type[MaskedSink | Straight]
) -> int:
    """How many logs show a form, when the process that masks is killed at any moment or not."""
    found = 0
    for number, (masker, pieces, forms) in enumerate(scenes(rng, rounds)):
        path = folder / f"{number}.log"
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        sink = sink_of(log, encode_forms(masker.forms))
        os.close(log)
        last = rng.randrange(len(pieces)) if rng.random() < 0.7 else None
        write_all(sink, pieces, last)
        found += any(legible(form) in legible(path.read_bytes()) for form in forms)
    return found


def write_all(sink: MaskedSink | Straight, pieces: list[bytes], last: int | None) -> None:
    try:
        for number, piece in enumerate(pieces):
            os.write(sink.input, piece)
            if number == last and sink.pid:
                os.kill(sink.pid, signal.SIGKILL)
    except BrokenPipeError:
        pass
    finally:
        os.close(sink.input)
        if isinstance(sink, MaskedSink):
            os.waitpid(sink.pid, 0)
            sink.close()


@pytest.mark.attack("killed masking process")
def test_a_killed_masking_process_leaves_no_secret_in_the_log(
    rng: random.Random, amount: Amount, figure: Figure, tmp_path: Path
) -> None:
    rounds = amount(short=20, long=1_000)
    found = shown_by_killed(rng, rounds, tmp_path, MaskedSink)
    figure("logs with a secret", f"{found} of {rounds}")
    assert found == 0


@pytest.mark.control("killed masking process")
def test_straight_to_the_log_there_would_be_secrets(
    rng: random.Random, amount: Amount, tmp_path: Path
) -> None:
    assert shown_by_killed(rng, amount(short=20, long=100), tmp_path, Straight) > 0


TIMES_A_SEARCH = 2.0
"""So much faster than a search for each form, whatever the machine; benchmarks/ has the MB/s."""


def masked_mb_per_s(text: bytes, forms: bytes, folder: Path) -> float:
    """How much a masking process brings to its log in a second of processor time."""
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC, 0o600)
    sink = MaskedSink(log, forms)
    os.close(log)
    left = memoryview(text)
    while left:
        left = left[os.write(sink.input, left[: 1 << 16]) :]
    os.close(sink.input)
    used = os.wait4(sink.pid, 0)[2]
    sink.close()
    return len(text) / 1e6 / (used.ru_utime + used.ru_stime)


def flood(rng: random.Random, forms: frozenset[bytes], size: int) -> bytes:
    """Lines of a log, of which one in fifty holds a secret."""
    plain = [noise(rng) + noise(rng) + noise(rng) + b"\n" for _ in range(2000)]
    telling = [noise(rng) + form + b"\n" for form in rng.choices(sorted(forms), k=40)]
    lines = b"".join(rng.choices(plain + telling, k=20_000))
    return (lines * (size // len(lines) + 1))[:size]


def searched_mb_per_s(text: bytes, forms: frozenset[bytes]) -> float:
    """How fast the text is searched for one form after the other."""
    before = time.process_time()
    for at in range(0, len(text), 1 << 16):
        for form in forms:
            text[at : at + (1 << 16)].replace(form, b"***")
    return len(text) / 1e6 / (time.process_time() - before)


@pytest.mark.attack("flood of output")
def test_twenty_secrets_in_all_their_forms_hold_no_flood_up(
    rng: random.Random, amount: Amount, figure: Figure, tmp_path: Path
) -> None:
    values = ["".join(rng.choices(SECRET_LETTERS, k=24)).encode() for _ in range(20)]
    forms = forms_of(values)
    text = flood(rng, forms, amount(short=20, long=200) * 1_000_000)
    speed = max(masked_mb_per_s(text, encode_forms(forms), tmp_path) for _ in range(3))
    figure("masked", f"{speed:.0f} MB/s, {len(forms)} forms of 20 secrets")
    content = (tmp_path / "log").read_bytes()
    assert not any(value in content for value in values)
    assert speed >= TIMES_A_SEARCH * searched_mb_per_s(text[:1_000_000], forms)


@pytest.mark.control("flood of output")
def test_a_search_for_one_form_after_the_other_would(
    rng: random.Random, amount: Amount, figure: Figure
) -> None:
    forms = forms_of("".join(rng.choices(SECRET_LETTERS, k=24)).encode() for _ in range(20))
    text = flood(rng, forms, amount(short=1, long=10) * 1_000_000)
    speed = searched_mb_per_s(text, forms)
    figure("one form after the other", f"{speed:.0f} MB/s")
    assert speed < TIMES_A_SEARCH * searched_mb_per_s(text[:1_000_000], forms)
