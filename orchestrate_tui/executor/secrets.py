"""The secrets of one run: read when they are needed, kept in memory alone.

In the store a value stands as `***{NAME}`, so that outputs and variables which hold it can be
used again by who can read the secret: after a resume, or in a rollback.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path
from types import MappingProxyType

from orchestrate_tui.domain.pipeline import Pairs, Pipeline, Secret
from orchestrate_tui.domain.run import TriggerContext
from orchestrate_tui.errors import CannotStart
from orchestrate_tui.stagehost.masking import MASK, Masker
from orchestrate_tui.stagehost.secret_files import SecretFiles
from orchestrate_tui.stagehost.secret_forms import forms_of
from orchestrate_tui.values import dataclass

_MASK = MASK.decode()
_OTHER_FORM = "another form"  # no secret has this label
_TYPED = frozenset({"comment", "reason"})
_HELD = "\0"  # stands where a value was, until what looks like a mark is told from marks
_LITERAL = r"(\*\*\*\{)"
_MARK = r"\*\*\*\{(?:(?P<literal>\{)|(?P<label>[^{}]*)\})"


class LostSecret(LookupError):
    """A stored text holds a secret that cannot be read here; the message names it."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Values by label. `missing` says why those are not known that could not be read.

    `read_again` gives those that lie in `files` and may have changed; a stage may do that at any
    time.

    Only its methods use the values; it shows none of them.
    """

    values: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    missing: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    read_again: Callable[[], Mapping[str, bytes]] = field(default=dict, repr=False)
    _masker: Masker | None = field(init=False, default=None, repr=False)
    _labels: dict[bytes, str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_labels", {value: name for name, value in self.values.items()})
        if self.values or self.missing:
            object.__setattr__(self, "_masker", Masker(forms_of(self.values.values())))

    @property
    def has_any(self) -> bool:
        """Whether there is anything to mask; asks no file."""
        return self._masker is not None

    def masker_now(self) -> Masker | None:
        """Masks what is in the files of secrets now, and what was there before too.

        It looks at these files. None when there is nothing to mask.
        """
        if self.files:
            found = {value: name for name, value in self.read_again().items()}
            if found.keys() - self._labels.keys():
                self._labels.update(found)
                object.__setattr__(self, "_masker", Masker(forms_of(self._labels)))
        return self._masker

    def masked(self, text: str) -> str:
        """`text` as it may be shown and stored."""
        masker = self.masker_now()
        return masker.mask_text(text) if masker else text

    def sealed(self, text: str) -> str:
        """`text` as it may be stored, so that `unsealed` gives it back.

        A secret in another form than its own is lost.
        """
        masker = self.masker_now()
        if masker is None:
            return text
        if _HELD in text:
            return self.masked(text)
        data = _encoded(text)
        pieces: list[str] = []
        labels: list[str] = []
        at = 0
        for start, end in masker.spans(data):
            pieces += (_decoded(data[at:start]), _HELD)
            labels.append(self._labels.get(data[start:end], _OTHER_FORM))
            at = end
        pieces.append(_decoded(data[at:]))
        told = iter(labels)
        parts = re.sub(_LITERAL, r"\1{", "".join(pieces)).split(_HELD)
        return parts[0] + "".join(f"{_MASK}{{{next(told)}}}{part}" for part in parts[1:])

    def unsealed(self, text: str) -> str:
        """What `sealed` made `text` of. Raises LostSecret."""
        if self._masker is None:
            return text

        def value(mark: re.Match[str]) -> str:
            if mark["literal"]:
                return f"{_MASK}{{"
            if mark["label"] == _OTHER_FORM:
                raise LostSecret("it held a secret in another form, which is not kept")
            if mark["label"] not in self.values:
                raise LostSecret(f"it holds the secret '{mark['label']}', which cannot be read now")
            return self.values[mark["label"]].decode(errors="surrogateescape")

        return re.sub(_MARK, value, text)

    def sealed_pairs(self, pairs: Pairs) -> Pairs:
        """Outputs or variables as they may be stored."""
        return tuple((name, self.sealed(value)) for name, value in pairs) if self._masker else pairs

    def check_unwritten(self, definition: str, source: str) -> None:
        """Raise CannotStart when a value stands in what is kept of the pipeline.

        `definition` is JSON, `source` the text of the file.
        """
        for label, value in self.values.items():
            text = value.decode(errors="surrogateescape")
            if text in source or json.dumps(text, ensure_ascii=False)[1:-1] in definition:
                raise CannotStart(
                    f"The value of the secret '{label}' stands in the pipeline itself",
                    next_step="Nothing was started; take it out, or do not name it as a secret",
                )

    def masked_payload(self, payload: Mapping[str, str]) -> Mapping[str, str]:
        """What somebody asks, with what they typed as it may be stored."""
        if self._masker is None:
            return payload
        return {key: self.masked(text) if key in _TYPED else text for key, text in payload.items()}

    def sealed_trigger(self, trigger: TriggerContext) -> TriggerContext:
        """Why a run was started, as it may be stored."""
        return _changed(trigger, self.sealed) if self._masker else trigger

    def unsealed_trigger(self, trigger: TriggerContext) -> TriggerContext:
        """What `sealed_trigger` made it of, but for its variables.

        A text with a lost secret stays as it was stored.
        """
        if self._masker is None:
            return trigger
        return replace(_changed(trigger, self._unsealed_or_same), variables=trigger.variables)

    def _unsealed_or_same(self, text: str) -> str:
        try:
            return self.unsealed(text)
        except LostSecret:
            return text


def _changed(trigger: TriggerContext, change: Callable[[str], str]) -> TriggerContext:
    changed = trigger.changed
    return replace(
        trigger,
        event=change(trigger.event),
        branch=None if trigger.branch is None else change(trigger.branch),
        labels=tuple(map(change, trigger.labels)),
        changed=None if changed is None else tuple(map(change, changed)),
        variables=tuple((name, change(value)) for name, value in trigger.variables),
    )


NO_SECRETS = Secrets()


def secrets_of_pipeline(pipeline: Pipeline, folder: str) -> Secrets:
    """What of a pipeline in `folder` must not be shown, as far as it can be read now.

    The addresses of who is told count as well, but none of them has to be there.
    """
    if not pipeline.secrets and not pipeline.notify:
        return NO_SECRETS
    # a command that does no work loads nothing that reads files
    from orchestrate_tui.spec.secret_values import (  # noqa: PLC0415
        UnfitSecret,
        path_of,
        read_secret,
    )

    values: dict[str, bytes] = {}
    missing: list[str] = []
    for secret in pipeline.secrets:
        try:
            values[secret.label] = read_secret(secret, Path(folder), os.environb)
        except UnfitSecret as error:
            missing.append(str(error))
    for name in pipeline.channels:
        with suppress(UnfitSecret):
            values[name] = read_secret(Secret(env=name), Path(folder), os.environb)
    labels = {
        os.path.abspath(path_of(secret, Path(folder))): secret.label  # noqa: PTH100  (keeps links)
        for secret in pipeline.secrets
        if secret.file
    }
    files = SecretFiles(labels)

    def read_again() -> dict[str, bytes]:
        return {labels[path]: value for path, value in files.changed().items()}

    return Secrets(values, tuple(missing), tuple(labels), read_again)


def check_complete(secrets: Secrets) -> None:
    """Raise CannotStart when a secret could not be read: it could not be masked."""
    if secrets.missing:
        raise CannotStart(
            f"Secrets are missing: {'; '.join(secrets.missing)}",
            next_step="Nothing was started; provide them, and ask again",
        )


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _decoded(data: bytes) -> str:
    return data.decode(errors="surrogatepass")
