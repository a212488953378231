"""`releases`, and what a rollback goes back to."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.desk import EXAMPLES, Desk

SYMLINK = EXAMPLES / "symlink.yaml"
BACK = ("--from", "switch", "--to", "switch", "--reason", "slow")


def deploy(desk: Desk, *versions: str) -> None:
    for version in versions:
        assert desk.do("run", SYMLINK, "--var", f"version={version}").code == 0


def test_the_link_is_switched_back_to_the_release_before(desk: Desk) -> None:
    deploy(desk, "1.0", "1.1")
    link = desk.folder / "symlink-work/current"
    plan = desk.do("rollback", 2, *BACK, "--dry-run").out
    assert "1. undo switch: Serve version 1.0 again (returner), 1.1 → 1.0\n" in plan
    assert link.readlink() == Path("releases/1.1")
    assert desk.do("rollback", 2, *BACK, "--yes").code == 0
    assert link.readlink() == Path("releases/1.0")
    listed = desk.json("releases", "--environment", "production")
    assert [(one["version"], one["run_id"], one["undone_by"]) for one in listed] == [
        ("1.1", 2, 1),
        ("1.0", 1, None),
    ]


def test_the_first_release_has_nothing_to_go_back_to(desk: Desk) -> None:
    deploy(desk, "1.0")
    result = desk.do("rollback", 1, *BACK, "--yes")
    assert result.code == 2
    assert "Stage 'switch' has nothing to go back to: no earlier release" in result.err
    assert desk.json("rollbacks") == []


def test_releases_are_listed_newest_first_with_what_became_of_them(desk: Desk) -> None:
    assert desk.do("releases", "--json", ORCHESTRATE_DB="").json() == []
    deploy(desk, "1.0", "1.1")
    desk.do("rollback", 2, *BACK, "--yes")
    head, newest, oldest = desk.do("releases", "--pipeline", "symlink").out.splitlines()
    assert head.split()[:3] == ["RELEASE", "STATUS", "VERSION"]
    assert newest.split()[:5] == ["2", "⊘", "quarantined", "1.1", "production"]
    assert newest.endswith("undone by rollback 1")
    assert oldest.split()[:5] == ["1", "●", "current", "1.0", "production"]
    assert desk.do("releases", "--pipeline", "other").err == "No releases yet\n"


def test_a_version_that_was_rolled_back_is_refused_until_it_is_lifted(desk: Desk) -> None:
    assert desk.do("quarantine", ORCHESTRATE_DB="").err == "No version is quarantined\n"
    deploy(desk, "1.0", "1.1")
    desk.do("rollback", 2, *BACK, "--yes")
    again = ("run", SYMLINK, "--var", "version=1.1")
    refused = desk.do(*again)
    assert refused.code == 2
    assert "Version 1.1 was taken back in production by rollback 1 of run 2" in refused.err
    assert desk.do("quarantine").out.splitlines()[1].split()[:5] == [
        *("1", "1.1", "production", "1", "2"),
    ]
    assert desk.do("lift", 1).code == 2
    assert desk.do("lift", 1, "--reason", "it was the disk").code == 0
    assert desk.json("quarantine") == []
    assert desk.json("quarantine", "--all")[0]["lift_reason"] == "it was the disk"
    assert desk.do(*again).code == 0


def test_a_golden_release_is_shown_as_one(desk: Desk) -> None:
    deploy(desk, "1.0")
    assert desk.json("pin", 1, "--reason", "fast")["outcome"].startswith("Release 1 is the golden")
    assert ": fast" in desk.do("releases").out
    assert desk.json("releases")[0]["pin_reason"] == "fast"
    assert desk.do("unpin", 1).code == 0
    assert "golden" not in desk.do("releases").out
    assert desk.do("pin", 7).code == 2


def test_a_rollback_returns_to_a_named_release_by_another_file(desk: Desk) -> None:
    deploy(desk, "1.0", "1.1", "1.2")
    text = SYMLINK.read_text().replace("command: [ln, -sfn,", "command: [ln, -sfnv,")
    other = desk.folder / "other.yaml"
    other.write_text(text)
    words = ("rollback", 3, *BACK, "--release", "1.0", "--definition", other)
    planned, plan = desk.json(*words, "--dry-run"), desk.do(*words, "--dry-run").out
    assert "±  agent returner: ln -sfn -- ${previous.path}" in plan
    assert "(returner), 1.2 → 1.0\n" in plan
    event = desk.json(*words, "--yes")
    assert event["release_id"] == 1
    assert event["definition_hash"] == planned["definition"]
    assert (desk.folder / "symlink-work/current").readlink() == Path("releases/1.0")
    other.write_text(text.replace("name: check", "name: look"))
    refused = desk.do("rollback", 2, *BACK, "--definition", other, "--yes")
    assert refused.code == 2
    assert "Its stages are not those of the run: it lacks check and it has also look" in refused.err
    other.write_text("name: p\n")
    broken = desk.do("rollback", 2, *BACK, "--definition", other, "--yes")
    assert broken.code == 2
    assert f"{other}:1:1: Pipeline must have at least one stage" in broken.err


def test_readiness_has_a_light_for_each_stage(desk: Desk) -> None:
    deploy(desk, "1.0", "1.1")
    first = desk.do("readiness", 1)
    assert first.code == 1
    assert "nothing to go back to: no earlier release" in first.out
    lights = {one["stage_name"]: one for one in json.loads(desk.do("readiness", 2, "--json").out)}
    assert lights["switch"]["light"] == "ready"
    assert lights["switch"]["release"] == 1
    assert lights["check"]["problems"] == ["nothing undoes it"]


def test_validate_says_how_much_can_be_undone(desk: Desk) -> None:
    result = desk.do("validate", SYMLINK)
    assert result.out.splitlines()[1].endswith("symlink.yaml: 1 of 3 stages can be undone")
    (record,) = desk.json("validate", SYMLINK)
    assert record["coverage"]["undoable"] == ["switch"]


def test_old_logs_are_pruned_when_somebody_says_so(desk: Desk) -> None:
    deploy(desk, "1.0", "1.1", "1.2")
    assert desk.do("prune").code == 2
    looked = desk.json("prune", "--keep", 1, "--dry-run")
    assert [run["run_id"] for run in looked["pruned"]] == [1]
    assert looked["needed"] == [2]
    assert desk.do("prune", "--keep", 1).code == 2
    done = desk.do("prune", "--keep", 1, "--yes")
    assert (done.code, done.err) == (0, "Kept for a possible rollback: run(s) 2\n")
    assert "and 1 release(s) of 1 run(s) pruned" in done.out
    assert "wrote what was pruned at 2" in desk.do("logs", 1, "switch").err
    assert desk.json("show", 1)["pruned_at"]
    left = desk.database.with_name("store.db.snapshots") / "packs" / "left-by-a-dead-prune.pack"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x" * 2000)
    done = desk.do("prune", "--older-than", "1d")
    assert (done.code, done.err) == (0, "2,000 bytes of snapshots are free\n")
    assert done.out.startswith("0 file(s)")
    assert not left.exists()


COMPONENTS = """
  - name: deploy
    agent: fine
    task: Deploy
    environment: live
    components: [api, web]
    rollback: {agent: note, task: "Back to ${previous.version}"}
"""


def test_one_component_is_taken_back_and_kept_out(desk: Desk) -> None:
    shop = desk.pipeline(COMPONENTS)
    for version in ("1.0", "1.1"):
        assert desk.do("run", shop, "--var", f"version={version}").code == 0
    back = ("rollback", 2, "--from", "deploy", "--to", "deploy", "-C", "web", "--reason", "slow")
    assert "1. undo deploy[web]: Back to 1.0 (note), 1.1 → 1.0\n" in desk.do(*back, "--dry-run").out
    assert desk.do(*back, "--yes").code == 0
    listed = desk.do("releases").out.splitlines()[1:]
    assert [line.split()[1:5] for line in listed] == [
        ["⊘", "quarantined", "1.1", "live/web"],
        ["●", "current", "1.1", "live/api"],
        ["●", "current", "1.0", "live/web"],
        ["○", "earlier", "1.0", "live/api"],
    ]
    refused = desk.do("run", shop, "--var", "version=1.1")
    assert refused.code == 2
    assert "Version 1.1 was taken back in live/web by rollback 1 of run 2" in refused.err
