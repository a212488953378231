"""What is spared while the console is loaded is missed by nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SPARING = "from orchestrate_tui.console.sparing import sparing"
LOAD = "import orchestrate_tui.console.app"
SIGNATURES = """
import dataclasses, inspect, json, sys
def written(cls):
    for method in vars(cls)["__init__"], vars(cls).get("__eq__"):
        try:
            method(*[object()] * 99)  # from now on it is as it was meant
        except TypeError:
            pass
    parameters = inspect.signature(vars(cls)["__init__"]).parameters.values()
    told = [(one.name, one.kind.name, one.default is one.empty) for one in parameters]
    return told, cls.__hash__ is None
found = {
    f"{cls.__module__}.{cls.__qualname__}": written(cls)
    for module in [*sys.modules.values()]
    for cls in vars(module).values()
    if isinstance(cls, type) and "__dataclass_params__" in vars(cls)
    and cls.__module__.startswith(("textual", "rich"))
}
print(json.dumps(found))
"""
COMPUTED = f"""
{SPARING}
with sparing():
    from textual.reactive import reactive
    from textual.widget import Widget
    class Sum(Widget):
        total = reactive(0)
        def compute_total(self): return 1
    class Product(Sum):
        product = reactive(0)
        def _compute_product(self): return 2
import json
print(json.dumps(sorted(Product._computes)))
"""
SPARED = {
    *("ssl", "platformdirs", "difflib", "mimetypes", "shutil", "rich.table", "rich.tree"),
    *("textual.command", "textual.types", "textual.widgets._input"),
    *("orchestrate_tui.domain.release", "orchestrate_tui.domain.variables"),
}
AFTERWARDS = """
import asyncio, ssl, platformdirs
from textual import app, command, dom
from textual.types import DirEntry
assert app.CommandPalette is not command.CommandPalette
assert isinstance(app.CommandPalette(), command.CommandPalette)
assert "dir" not in vars(dom)
import mimetypes
from rich.table import Table
from textual import design
assert type(design.Table()) is Table
assert app.mimetypes.guess_type("screen.svg") == mimetypes.guess_type("screen.svg")
assert app.mimetypes.knownfiles == mimetypes.knownfiles
assert app.user_downloads_path() == platformdirs.user_downloads_path()
assert ssl.create_default_context()
"""


def answer(program: str) -> Any:
    """What a fresh interpreter prints as JSON."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    for name in [name for name in environment if name.startswith("COVERAGE_")]:
        del environment[name]  # measuring coverage loads modules of its own
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def answer_when_spared(program: str) -> Any:
    """The same, of an interpreter that has loaded the console as it does."""
    return answer(f"{SPARING}\nwith sparing():\n    {LOAD}\n{program}")


def test_what_no_first_picture_needs_is_not_loaded() -> None:
    loaded = answer_when_spared("import json, sys; print(json.dumps([*sys.modules]))")
    assert not SPARED & set(loaded)


def test_what_was_spared_is_there_for_who_asks_later() -> None:
    assert answer_when_spared(f"{AFTERWARDS}\nprint(1)") == 1


def test_a_module_that_is_loaded_already_stays_as_it_is() -> None:
    used = f"import ssl, asyncio\n{SPARING}\nwith sparing():\n    {LOAD}"
    assert answer(f"{used}\nprint(int(asyncio.base_events.ssl is ssl))") == 1


def test_the_classes_of_textual_compute_as_ever() -> None:
    assert answer(COMPUTED) == ["product", "total"]


def test_the_dataclasses_of_textual_are_made_as_ever() -> None:
    usual, spared = answer(LOAD + SIGNATURES), answer_when_spared(SIGNATURES)
    assert len(spared) > 20
    assert spared == {name: usual[name] for name in spared}
