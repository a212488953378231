"""The forms in which a secret may come to light."""

from __future__ import annotations

import json
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from contextlib import suppress

from orchestrate_tui.stagehost.masking import SHORTEST

_UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_URL_SAFE = (
    _UNRESERVED + b"-._~",  # RFC 3986
    _UNRESERVED + b"-._~/",  # a path
    _UNRESERVED + b"-._~!*'()",  # encodeURIComponent
    _UNRESERVED + b"-._~!*'();/?:@&=+$,#",  # encodeURI
    _UNRESERVED + b"-._~$&+:=@",  # a part of a path, as Go writes it
    _UNRESERVED + b"-._*",  # forms
    _UNRESERVED + b"-._~*",  # forms, as Ruby writes them
    _UNRESERVED,
    b"",  # everything
)
_SHIFTS = ((0, 0), (1, 2), (2, 3))
"""Behind so many other bytes, so many of the first characters are not the value's own."""

_SEPARATORS = (b" ", b":", b"-", b",", b", ")
_URL_SAFE_ALPHABET = bytes.maketrans(b"+/", b"-_")


def forms_of(values: Iterable[bytes]) -> frozenset[bytes]:
    """Everything that must not be shown: each value, and each line of it, in all its forms.

    The forms with escapes are those that are usual; a masker reads any others by itself.
    """
    found: set[bytes] = set()
    for value in values:
        for text in parts(value):
            found.update(form for form in _forms(text) if len(form) >= SHORTEST)
    return frozenset(found)


def parts(value: bytes) -> tuple[bytes, ...]:
    """The value, and its lines where it has several, but for those that are too short.

    Line breaks at its ends belong to the file it stands in, and of a variable without quotes a
    shell keeps no other blanks than single spaces between words.
    """
    whole = value.strip(b"\r\n")
    words = (whole, whole.strip(), b" ".join(whole.split()))
    lines = [line.strip() for line in whole.splitlines()]
    if len(lines) < 2:
        return words
    dos = b"\r\n".join(whole.splitlines())
    unix = b"\n".join(whole.splitlines())
    return (*words, dos, unix, *(line for line in lines if len(line) >= SHORTEST))


def _forms(value: bytes) -> Iterator[bytes]:
    yield value
    yield from _base64(value)
    for inner in _midst_of_base64(value):  # as a password stands in a Secret of Kubernetes
        yield from _midst_of_base64(inner)
    with suppress(UnicodeDecodeError):
        yield from _base64(value.decode().encode("utf-16-le"))  # as PowerShell takes commands
    yield from _numbers(value)
    yield from _url(value)
    yield from _quoted(value)


def _numbers(value: bytes) -> Iterator[bytes]:
    """The bytes in a row, or as a list; how lists go on in another line is read by a masker."""
    yield value.hex().encode()
    pairs = [b"%02x" % byte for byte in value]
    for separator in _SEPARATORS:
        yield separator.join(pairs)
        yield (separator + b"0x").join(pairs)
        yield separator.join(b"%d" % byte for byte in value)


def _base64(value: bytes) -> Iterator[bytes]:
    for form in _standard_base64(value):
        yield form
        yield form.translate(_URL_SAFE_ALPHABET)


def _standard_base64(value: bytes) -> Iterator[bytes]:
    """At the end of a text, at the end of a line, and in the midst of anything else."""
    for before, foreign in _SHIFTS:
        shifted = bytes(before) + value
        for text in (shifted, shifted + b"\n"):
            encoded = b2a_base64(text, newline=False)[foreign:]
            yield encoded
            yield encoded.rstrip(b"=")
    yield from _midst_of_base64(value)


def _midst_of_base64(value: bytes) -> Iterator[bytes]:
    """What of it no other bytes change, wherever the value stands in a text."""
    for before, foreign in _SHIFTS:
        encoded = b2a_base64(bytes(before) + value, newline=False)
        yield encoded[foreign : (before + len(value)) * 8 // 6]


def _url(value: bytes) -> Iterator[bytes]:
    for safe in _URL_SAFE:
        encoded = b"".join(bytes((byte,)) if byte in safe else b"%%%02X" % byte for byte in value)
        yield encoded
        yield encoded.replace(b"%20", b"+")


def _quoted(value: bytes) -> Iterator[bytes]:
    """As shells and JSON writers put it into quotes, and as one byte for each letter.

    A text that is not UTF-8 only for shells.
    """
    for quote in (rb"'\''", b"'\"'\"'", rb"\'"):
        yield value.replace(b"'", quote)
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return
    with suppress(UnicodeEncodeError):
        yield text.encode("latin-1")  # and cp1252, for letters; also every other byte of UTF-16
    for is_ascii in (True, False):
        encoded = json.dumps(text, ensure_ascii=is_ascii)[1:-1].encode(errors="surrogatepass")
        for form in (encoded, _safe_in_html(encoded)):
            yield form
            yield form.replace(b"/", rb"\/")


def _safe_in_html(encoded: bytes) -> bytes:
    for character in b"<>&":
        encoded = encoded.replace(bytes((character,)), b"\\u%04x" % character)
    return encoded
