"""`${name}` in texts and commands, and the environment variables that carry the same values.

A value never becomes program text: it fills one argument of a command, and a shell script only
meets it as an environment variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrate_tui.domain.interpreters import Interpreter

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
"""What a variable may be called."""

BUILT_IN = frozenset({"task", "stage", "run_id"})
"""Names that every agent knows; a pipeline cannot declare them."""

STAGE_OUTPUT = "stages."
"""The prefix of `${stages.<stage>.<key>}`."""

_REFERENCE = re.compile(r"\$(\$?)\{([^{}]*)\}")
START_UP_NAMES = re.compile(
    r"PATH|HOME|IFS|ENV|(?:LD|DYLD|BASH|GIT|NODE|JAVA|ORCHESTRATE)_.*"
    r"|(?:PYTHON|PERL|RUBY).*"
)


class UnknownVariable(LookupError):
    """A `${name}` that nothing defines."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown variable '${{{name}}}'")
        self.name = name


class UnsafeValue(ValueError):
    """A value that would change the meaning of the command it stands in."""


def references(text: str) -> tuple[str, ...]:
    """The names that `text` refers to, in order; `$${x}` refers to nothing."""
    return tuple(name for escaped, name in _REFERENCE.findall(text) if not escaped)


def substitute(
    text: str,
    values: Mapping[str, str],
    *,
    keep_unknown: bool = False,
    quote: Callable[[str], str] = str,
) -> str:
    """`text` with every `${name}` replaced by its value and `$${` by `${`.

    Raises UnknownVariable, unless `keep_unknown` leaves such names as they were written.
    """
    if "${" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        escaped, name = match.groups()
        if escaped:
            return f"${{{name}}}"
        if name in values:
            return quote(values[name])
        if keep_unknown:
            return match.group()
        raise UnknownVariable(name)

    return _REFERENCE.sub(value, text)


def render_command(items: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """The argument vector; each item stays one argument whatever its values hold.

    Raises UnknownVariable, or UnsafeValue for a value that would be read as an option.
    """
    rendered: list[str] = []
    for position, item in enumerate(items):
        text = substitute(item, values)
        if "\0" in text:
            raise UnsafeValue(f"the value of '{item}' contains a NUL character")
        is_bare = text.startswith("-") and item.startswith("${")
        if is_bare and not _follows_dashes(items, position):
            raise UnsafeValue(
                f"the value '{text}' of '{item}' begins with '-' and would be read as an option"
            )
        rendered.append(text)
    return tuple(rendered)


def _follows_dashes(items: Sequence[str], position: int) -> bool:
    """Whether `--` stands before the item, with at most other values between.

    A `--` further away may belong to a program that starts another, as in `exec pod -- rm ${x}`.
    """
    while position and references(items[position - 1]):
        position -= 1
    return position > 0 and items[position - 1] == "--"


def program_text_items(items: Sequence[str]) -> tuple[int, ...]:
    """The positions in a command where a value would become program text, and so may not stand."""
    from orchestrate_tui.domain.interpreters import interpreter  # noqa: PLC0415  (for who checks)

    found = {0} if items and references(items[0]) else set()
    for position, item in enumerate(items):
        if program := interpreter(item):
            found.update(_program_text(program, items, position + 1))
    return tuple(sorted(found))


def _program_text(program: Interpreter, items: Sequence[str], start: int) -> Iterator[int]:
    """Where the options of `program`, which begin at `start`, take program text with values.

    An item behind an option may be that option's argument: only one that follows no option is
    the script, and what comes after it is the script's own.
    """
    is_due = follows_option = False
    for position, item in enumerate(items[start:], start):
        is_option = item.startswith(("-", "+"))
        if re.fullmatch(program.before_text, item):
            is_due = follows_option = True
            continue
        if re.fullmatch(program.before_script, item) or not (is_option or is_due or follows_option):
            return
        if references(item) and (_holds_text(program, item) if is_option else is_due):
            yield position
        is_due, follows_option = is_due and is_option, is_option


def _holds_text(program: Interpreter, option: str) -> bool:
    return re.fullmatch(program.with_text, option.partition("${")[0]) is not None


def changes_how_programs_start(name: str) -> bool:
    """Whether an environment variable of this name steers the start of programs."""
    return START_UP_NAMES.fullmatch(name) is not None


def declared_name(name: str) -> str:
    """The environment variable of a variable that the pipeline declares."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def trigger_name(name: str) -> str:
    """The environment variable of a variable that only the trigger brings."""
    return "VAR_" + declared_name(name).upper()


def output_name(stage: str, key: str) -> str:
    """The environment variable of a stage's output."""
    return f"OUT_{declared_name(stage)}_{declared_name(key)}".upper()


def output_reference(reference: str) -> tuple[str, str] | None:
    """Stage and key of a `stages.<stage>.<key>` reference; None for any other name."""
    if not reference.startswith(STAGE_OUTPUT):
        return None
    stage, _, key = reference.removeprefix(STAGE_OUTPUT).rpartition(".")
    return (stage, key) if stage and key else None


def environment_of(
    declared: Iterable[str],
    values: Mapping[str, str],
    outputs: Mapping[tuple[str, str], str],
) -> dict[str, str]:
    """The environment variables that carry `values` and the `outputs` of earlier stages.

    Where names meet, what the pipeline declares comes first.
    """
    own = frozenset(declared)
    environment = {output_name(*output): value for output, value in outputs.items()}
    environment |= {trigger_name(name): values[name] for name in values if name not in own}
    environment |= {declared_name(name): values[name] for name in values if name in own}
    return environment
