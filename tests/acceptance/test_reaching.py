"""The examples of how far a rollback reaches, run and rolled back as a person would."""

from __future__ import annotations

from tests.acceptance.desk import EXAMPLES, Desk

COMPONENTS = EXAMPLES / "components.yaml"
WEB = ("rollback", 2, "--from", "deploy", "--to", "deploy", "-C", "web", "--reason", "white")
IMPORT = ("rollback", 1, "--from", "import", "--to", "import")


def test_one_of_two_components_is_put_back_and_the_other_stays(desk: Desk) -> None:
    folder = desk.folder / "components-work"
    for version in ("1.0", "1.1"):
        assert desk.do("run", COMPONENTS, "--var", f"version={version}").code == 0
    assert desk.do(*WEB, "--yes").code == 0
    versions = {one: (folder / one / "VERSION").read_text() for one in ("api", "web")}
    assert versions == {"api": "1.1\n", "web": "1.0\n"}
    assert (folder / "told").read_text() == "web is what it was before\n"
    assert "deploy → deploy (only web)" in desk.do("show", 2).out


def test_a_chain_is_undone_in_its_order_through_both_environments(desk: Desk) -> None:
    assert desk.do("run", EXAMPLES / "chain.yaml").code == 0
    assert desk.do(*IMPORT, "--dry-run").out.splitlines()[1:] == [
        "  In data:",
        "  1. undo import: Take the prices back (remover)",
        "  In edge:",
        "  2. undo cache: Empty the cache (remover)",
        "  3. undo announce: Say that there are none (remover)",
    ]
    assert desk.do(*IMPORT, "--reason", "wrong prices", "--yes").code == 0
    assert (desk.folder / "chain-work/undone").read_text().splitlines() == [
        "Take the prices back",
        "Empty the cache",
        "Say that there are none",
    ]
    (event,) = desk.json("rollbacks", 1)
    assert event["environments"] == ["data", "edge"]
