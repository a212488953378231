"""Collecting the problems of pipeline files, so that all of them are told at once."""

from __future__ import annotations

from collections.abc import Iterable

from yaml.nodes import Node

from orchestrate_tui.domain.text import visible
from orchestrate_tui.errors import Problem, Severity
from orchestrate_tui.values import dataclass

_SUGGESTIONS = 25
"""Each one compares a word with every candidate, so their number is limited."""

_LONGEST_QUOTE = 80
_LONGEST_MESSAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands in a file; lines and columns count from 1, 0 means the whole file."""

    file: str
    line: int = 0
    column: int = 0

    @classmethod
    def of(cls, node: Node) -> Place:
        """Where `node` begins."""
        mark = node.start_mark
        return cls(file=mark.name, line=mark.line + 1, column=mark.column + 1)


class Report:
    """The problems found so far in `files`, the first of which is the pipeline's own."""

    def __init__(self, *files: str) -> None:
        self._files = {file: position for position, file in enumerate(files)}
        self._problems: dict[Problem, None] = {}
        self._blamed: set[Place] = set()
        self._suggestions_left = _SUGGESTIONS

    def error(self, at: Node | Place, message: str, hint: str = "") -> None:
        """Record what makes the file unusable; the same problem twice counts once."""
        self._add(at, message, hint, Severity.ERROR)

    def warning(self, at: Node | Place, message: str, hint: str = "") -> None:
        """Record what somebody should look at."""
        self._add(at, message, hint, Severity.WARNING)

    def suggestion(self, word: str, candidates: Iterable[str]) -> str:
        """A hint that names the candidate most like `word`; "" when none is like it."""
        if self._suggestions_left <= 0:
            return ""
        self._suggestions_left -= 1
        from difflib import get_close_matches  # noqa: PLC0415  (only for mistakes)

        like = get_close_matches(word, candidates, n=1)
        return f"did you mean '{like[0]}'?" if like else ""

    def blames(self, at: Place) -> bool:
        """Whether an error was recorded at exactly this place."""
        return at in self._blamed

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Errors and warnings, by file and line."""
        return tuple(sorted(self._problems, key=self._order))

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What makes the files unusable, by file and line."""
        return self._sorted(Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What somebody should look at, by file and line."""
        return self._sorted(Severity.WARNING)

    def _add(self, at: Node | Place, message: str, hint: str, severity: Severity) -> None:
        place = Place.of(at) if isinstance(at, Node) else at
        problem = Problem(
            file=place.file,
            line=place.line,
            column=place.column,
            message=visible(message)[:_LONGEST_MESSAGE],
            hint=visible(hint),
            severity=severity,
        )
        self._problems[problem] = None
        if severity is Severity.ERROR:
            self._blamed.add(place)

    def _sorted(self, severity: Severity) -> tuple[Problem, ...]:
        found = [problem for problem in self._problems if problem.severity is severity]
        return tuple(sorted(found, key=self._order))

    def _order(self, problem: Problem) -> tuple[int, int, int]:
        return (self._files.get(problem.file, len(self._files)), problem.line, problem.column)


def shown(text: str) -> str:
    """`text` short enough to be quoted in a message."""
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def listed(words: Iterable[str], last: str = "or") -> str:
    """`words` as they stand in a sentence: a, b or c."""
    *others, final = words
    return f"{', '.join(others)} {last} {final}" if others else final
