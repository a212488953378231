"""Imports point one way, and each outside library has one home."""

from __future__ import annotations

import sys
from pathlib import Path

import grimp
import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]


def test_every_contract_between_the_layers_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Every import in the package, those inside functions too."""
    return grimp.build_graph("orchestrate_tui", include_external_packages=True, cache_dir=None)


@pytest.mark.parametrize(
    ("library", "home"),
    [
        ("textual", "console"),
        ("rich", "console"),
        ("sqlite3", "store"),
        ("sqlite_utils", "store"),
        ("apprise", "executor"),
        ("httpx", "agents"),
        ("yaml", "spec"),
    ],
)
def test_a_library_is_imported_in_one_layer_only(
    imports: grimp.ImportGraph, library: str, home: str
) -> None:
    importers = imports.find_modules_that_directly_import(library)
    package = f"orchestrate_tui.{home}"
    assert {name for name in importers if not f"{name}.".startswith(f"{package}.")} == set()


def test_the_domain_imports_nothing_but_the_standard_library_errors_and_what_makes_values(
    imports: grimp.ImportGraph,
) -> None:
    inside = {"orchestrate_tui.domain", *imports.find_descendants("orchestrate_tui.domain")}
    outside = {
        name for module in inside for name in imports.find_modules_directly_imported_by(module)
    } - inside
    own = {"orchestrate_tui.errors", "orchestrate_tui.values"}
    assert {name for name in outside if not _is_standard(name)} <= own


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def test_no_two_packages_import_each_other(imports: grimp.ImportGraph) -> None:
    packages = sorted(imports.find_children("orchestrate_tui"))
    knots = [
        (one, other)
        for index, one in enumerate(packages)
        for other in packages[index + 1 :]
        if imports.direct_import_exists(importer=one, imported=other, as_packages=True)
        and imports.direct_import_exists(importer=other, imported=one, as_packages=True)
    ]
    assert knots == []
