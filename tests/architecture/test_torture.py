"""An attack that cannot fail proves nothing: each has a control that finds damage."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ATTACKS = sorted((Path(__file__).parents[1] / "torture").glob("test_*.py"))
DOCUMENT = Path(__file__).parents[2] / "docs/torture.md"


def marked(path: Path, mark: str) -> list[str]:
    """The names in `@pytest.mark.<mark>("…")` of the tests of a file, "" for a test without."""
    return [
        _name(function, mark)
        for function in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and function.name.startswith("test_")
    ]


def _name(function: ast.FunctionDef | ast.AsyncFunctionDef, mark: str) -> str:
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(
                func=ast.Attribute(attr=attribute), args=[ast.Constant(value=str(name))]
            ) if attribute == mark:
                return name
    return ""


@pytest.mark.parametrize("path", ATTACKS, ids=lambda path: path.stem)
def test_every_attack_has_a_control(path: Path) -> None:
    attacks, controls = marked(path, "attack"), marked(path, "control")
    named = [attack or control for attack, control in zip(attacks, controls, strict=True)]
    assert all(named), "each test is an attack or a control"
    assert set(attacks) == set(controls) != {""}


def test_the_attacks_that_are_described_are_those_that_there_are() -> None:
    rows = re.findall(r"^\| `(test_\w+\.py)`", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == [path.name for path in ATTACKS]
