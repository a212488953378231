"""Programs that run an argument as program text, and the options by which they take it."""

from __future__ import annotations

import re

from orchestrate_tui.values import dataclass

_VERSION_SUFFIX = re.compile(r"[\d.]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """How a program is given its text; each pattern is for a whole item of the command.

    `before_text` matches an option with its text in a later item, `with_text` the beginning of
    an item that holds both, `before_script` an option after which everything is the script's.
    """

    before_text: re.Pattern[str]
    with_text: re.Pattern[str]
    before_script: re.Pattern[str]

    @classmethod
    def of(
        cls,
        letters: str = "ce",
        words: str = "--command|--eval|--execute",
        before_script: str = "(?!)",
    ) -> Interpreter:
        """One with short options of these letters, bundled or not, and options of these words."""
        return cls(
            before_text=re.compile(rf"-[A-Za-z0]*[{letters}][A-Za-z0]*|{words}"),
            with_text=re.compile(
                rf"-[{letters}].*|-[A-Za-z0]*[{letters}]|(?:{words})=.*", re.DOTALL
            ),
            before_script=re.compile(before_script),
        )


def interpreter(item: str) -> Interpreter | None:
    """The interpreter that an item of a command names, with or without folders and version."""
    name = item.rsplit("/", 1)[-1]
    return _INTERPRETERS.get(name) or _INTERPRETERS.get(_VERSION_SUFFIX.sub("", name))


_PLAIN = Interpreter.of()
_SHELL = Interpreter.of("ceC", "--command|--init-command")
_PYTHON = Interpreter.of(before_script="-[A-Za-z]*m")
_JAVASCRIPT = Interpreter.of("cep", "eval|--eval|--print")
_POWERSHELL = Interpreter(
    before_text=re.compile(r"-(?:c|command|e|ec|encodedcommand)", re.IGNORECASE),
    with_text=re.compile(r"(?!)"),
    before_script=re.compile(r"-f(?:ile)?", re.IGNORECASE),
)

_INTERPRETERS = {
    **dict.fromkeys(("sh", "bash", "dash", "zsh", "ksh", "ash", "busybox", "fish"), _SHELL),
    **dict.fromkeys(("python", "pypy"), _PYTHON),
    **dict.fromkeys(("ruby", "lua", "Rscript", "osascript", "tclsh"), _PLAIN),
    **dict.fromkeys(("awk", "gawk", "mawk", "nawk"), _PLAIN),
    **dict.fromkeys(("node", "bun", "deno"), _JAVASCRIPT),
    **dict.fromkeys(("pwsh", "powershell"), _POWERSHELL),
    "perl": Interpreter.of("ceE"),
    "php": Interpreter.of("cerRBE"),
    "env": Interpreter.of("S", "--split-string"),
}
