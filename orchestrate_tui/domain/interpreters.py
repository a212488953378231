"""Programs that run an argument as program text, and the options by which they take it."""

from __future__ import annotations

from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """How a program is given its text; each is a pattern for a whole item of the command.

    `before_text` matches an option with its text in a later item, `with_text` the beginning of
    an item that holds both, `before_script` an option after which everything is the script's.
    """

    before_text: str
    with_text: str
    before_script: str

    @classmethod
    def of(
        cls,
        letters: str = "ce",
        words: str = "--command|--eval|--execute",
        before_script: str = "(?!)",
    ) -> Interpreter:
        """One with short options of these letters, bundled or not, and options of these words."""
        return cls(
            before_text=rf"-[A-Za-z0]*[{letters}][A-Za-z0]*|{words}",
            with_text=rf"(?s)-[{letters}].*|-[A-Za-z0]*[{letters}]|(?:{words})=.*",
            before_script=before_script,
        )


def interpreter(item: str) -> Interpreter | None:
    """The interpreter that an item of a command names, with or without folders and version."""
    name = item.rsplit("/", 1)[-1]
    return _INTERPRETERS.get(name) or _INTERPRETERS.get(name.rstrip("0123456789."))


_PLAIN = Interpreter.of()
_SHELL = Interpreter.of("ceC", "--command|--init-command")
_PYTHON = Interpreter.of(before_script="-[A-Za-z]*m")
_JAVASCRIPT = Interpreter.of("cep", "eval|--eval|--print")
_POWERSHELL = Interpreter(
    before_text="(?i)-(?:c|command|e|ec|encodedcommand)",
    with_text="(?!)",
    before_script="(?i)-f(?:ile)?",
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
