"""`${name}` in texts and commands, and the environment variables that carry the same values.

A value never becomes program text: it fills one argument of a command, and a shell script only
meets it as an environment variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
"""What a variable may be called."""

BUILT_IN = frozenset({"task", "stage", "run_id"})
"""Names that every agent knows; a pipeline cannot declare them."""

STAGE_OUTPUT = "stages."
"""The prefix of `${stages.<stage>.<key>}`."""

INTERPRETERS = frozenset(
    [
        "sh",
        "bash",
        "dash",
        "zsh",
        "ksh",
        "ash",
        "busybox",
        "fish",
        "python",
        "python2",
        "python3",
        "pypy",
        "pypy3",
        "perl",
        "ruby",
        "node",
        "deno",
        "bun",
        "php",
        "lua",
        "Rscript",
        "osascript",
        "pwsh",
        "powershell",
        "env",
        "awk",
        "gawk",
        "mawk",
        "nawk",
        "tclsh",
    ]
)
"""Programs that run their `-c` or `-e` argument as program text."""

_REFERENCE = re.compile(r"\$(\$?)\{([^{}]*)\}")
_PROGRAM_OPTION = re.compile(r"-[A-Za-z]*[ce]\Z|--(?:command|eval|print|execute)\Z")
_VERSION_SUFFIX = re.compile(r"[\d.]+\Z")
_START_UP_NAMES = re.compile(
    r"PATH|HOME|IFS|ENV|(?:LD|DYLD|BASH|PYTHON|GIT|NODE|PERL|RUBY|JAVA|ORCHESTRATE)_.*"
    r"|(?:PYTHON|PERL|RUBY|NODE|JAVA).*"
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
    for item in items:
        text = substitute(item, values)
        if "\0" in text:
            raise UnsafeValue(f"the value of '{item}' contains a NUL character")
        if text.startswith("-") and item.startswith("${") and "--" not in items[: len(rendered)]:
            raise UnsafeValue(
                f"the value '{text}' of '{item}' begins with '-' and would be read as an option"
            )
        rendered.append(text)
    return tuple(rendered)


def program_text_items(items: Sequence[str]) -> tuple[int, ...]:
    """The positions in a command where a value would become program text, and so may not stand."""
    found = [0] if items and references(items[0]) else []
    programs = [position for position, item in enumerate(items) if _is_interpreter(item)]
    for position in range(1, len(items)):
        follows_option = _PROGRAM_OPTION.match(items[position - 1])
        if follows_option and references(items[position]) and any(p < position for p in programs):
            found.append(position)
    return tuple(found)


def _is_interpreter(item: str) -> bool:
    name = item.rsplit("/", 1)[-1]
    return name in INTERPRETERS or _VERSION_SUFFIX.sub("", name) in INTERPRETERS


def changes_how_programs_start(name: str) -> bool:
    """Whether an environment variable of this name steers the start of programs."""
    return _START_UP_NAMES.fullmatch(name) is not None


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
    """The environment variables that carry `values` and the `outputs` of earlier stages."""
    own = frozenset(declared)
    environment = {
        declared_name(name) if name in own else trigger_name(name): value
        for name, value in values.items()
    }
    for (stage, key), value in outputs.items():
        environment[output_name(stage, key)] = value
    return environment
