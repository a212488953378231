"""The values of secrets: read where they lie, never kept, and refused when they cannot be masked.

No message holds a value.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrate_tui.domain.pipeline import Secret
from orchestrate_tui.errors import Severity
from orchestrate_tui.spec.document import Document
from orchestrate_tui.spec.loaded import LoadedPipeline
from orchestrate_tui.spec.report import Place, Report
from orchestrate_tui.stagehost.secret_files import (
    FEWEST_CHARACTERS,
    can_be_masked,
    read_file,
    value_in,
)


class UnfitSecret(ValueError):
    """A secret without a value that can be masked; `hint` is what to do about it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def read_secret(secret: Secret, folder: Path, environment: Mapping[bytes, bytes]) -> bytes:
    """The value of a secret, without the line breaks around it.

    A path begins at `folder`. Raises UnfitSecret.
    """
    value = value_in(_value(secret, folder, environment))
    if not value.strip():
        raise UnfitSecret(f"{secret} is empty", "give it a value, or remove it from secrets:")
    if not can_be_masked(value):
        raise UnfitSecret(
            f"the value of {secret} has fewer than {FEWEST_CHARACTERS} characters, and masking"
            " it would garble every text",
            "use a longer one, or remove it from secrets:",
        )
    return value


def _value(secret: Secret, folder: Path, environment: Mapping[bytes, bytes]) -> bytes:
    if secret.file:
        return _content(secret, path_of(secret, folder))
    value = environment.get(os.fsencode(secret.env))
    if value is None:
        raise UnfitSecret(f"{secret} is not set", "set it, or remove it from secrets:")
    return value


def _content(secret: Secret, path: Path) -> bytes:
    try:
        return read_file(path)
    except OSError as error:
        hint = "check the path and its permissions"
        raise UnfitSecret(f"{secret} cannot be read: {error.strerror}", hint) from None
    except ValueError as error:
        raise UnfitSecret(f"{secret} {error}", "name a file that holds nothing else") from None


def path_of(secret: Secret, folder: Path) -> Path:
    """Where the file of a secret lies, seen from `folder`."""
    return folder / os.path.expanduser(secret.file)  # noqa: PTH111  (never raises)


def report_unfit_secrets(loaded: LoadedPipeline, report: Report, severity: Severity) -> None:
    """Report every secret that cannot be read or masked, or whose value stands in a file."""
    tell = report.error if severity is Severity.ERROR else report.warning
    for position, secret in enumerate(loaded.pipeline.secrets):
        try:
            value = read_secret(secret, _folder(loaded), os.environb)
        except UnfitSecret as error:
            tell(loaded.document.at("secrets", position), str(error), error.hint)
            continue
        documents = {document.file: document for document in _documents(loaded)}
        for document in documents.values():
            if place := _found(value, document):
                tell(
                    place,
                    f"the value of {secret} stands here, where everybody can read it",
                    "take it out of the file, or out of secrets:",
                )


def known_values(loaded: LoadedPipeline) -> tuple[str, ...]:
    """The values that can be read, the longest first."""
    return tuple(sorted(_known(loaded), key=len, reverse=True))


def _known(loaded: LoadedPipeline) -> Iterator[str]:
    for secret in loaded.pipeline.secrets:
        try:
            value = read_secret(secret, _folder(loaded), os.environb)
        except UnfitSecret:
            continue
        yield value.decode(errors="surrogateescape")


def _folder(loaded: LoadedPipeline) -> Path:
    return Path(loaded.file).parent


def _documents(loaded: LoadedPipeline) -> Iterator[Document]:
    yield loaded.document
    yield from loaded.agent_documents.values()


def _found(value: bytes, document: Document) -> Place | None:
    before, separator, _ = document.text.partition(value.decode(errors="surrogateescape"))
    if not separator:
        return None
    line = before.count("\n") + 1
    return Place(file=document.file, line=line, column=len(before) - before.rfind("\n"))
