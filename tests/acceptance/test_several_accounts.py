"""Other users of the machine act on runs, as far as the owner of the database lets them."""

from __future__ import annotations

import grp
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrate_tui.cli.executors import own_executor
from orchestrate_tui.domain.rollback_demand import RollbackDemand
from orchestrate_tui.domain.run import Run
from orchestrate_tui.domain.status import RollbackStatus, RunStatus, StageStatus, StepStatus
from orchestrate_tui.errors import Refused, Unconfirmed
from orchestrate_tui.executor.control import Control
from orchestrate_tui.executor.distant import DistantControl
from orchestrate_tui.spec import load_pipeline
from orchestrate_tui.store.accounts import current_user
from orchestrate_tui.store.history import History
from orchestrate_tui.store.publishing import Publication
from orchestrate_tui.store.trouble import Trouble
from tests.acceptance.desk import AGENTS, PATIENCE_S, REPOSITORY, Pipe
from tests.other_user import OtherUser

GROUP = "nogroup"
CONFIG = f"""
share_group: {GROUP}
roles: {{leads: [nobody]}}
access:
  leads: [approve, rollback]
  daemon: [run]
  "@games": view
"""

SHOP = f"""
name: shop
{AGENTS}
stages:
  - {{name: build, agent: fine, task: t, rollback: {{agent: undo, task: t}}}}
  - {{name: deploy, agent: fine, task: t, requires_approval: true, approvers: [nobody, bin],
      approval: {{quorum: 1}}, rollback: {{agent: undo, task: t}}}}
"""
HELD = f"""
name: held
{AGENTS}
stages:
  - {{name: build, agent: forever, task: t, rollback: {{agent: hold, task: t}}}}
"""


@dataclass(frozen=True, slots=True)
class Office:
    """A folder that others reach, with the configuration and the database of its owner."""

    folder: Path
    database: Path | None = None

    @property
    def path(self) -> Path:
        return self.database or self.folder / "state" / "store.db"

    def configure(self, text: str) -> None:
        place = self.folder / "config" / "orchestrate-tui" / "config.yaml"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def pipeline(self, text: str) -> Path:
        """The text as a file that everybody may read."""
        file = self.folder / "pipeline.yaml"
        file.write_text(text)
        return file

    def ask(self, user: str, *command: object) -> tuple[int, str, str]:
        """A command of a user who is in the group; its exit code, output and complaints."""
        group = grp.getgrnam(GROUP).gr_gid
        return OtherUser.named(user).run(*command, "--db", self.path, groups=[group])

    def doctor(self, user: str) -> tuple[int, str]:
        """Whether all is fine for that user, and what there is to say of the record."""
        code, output, _ = self.ask(user, "doctor", "--json")
        (record,) = (found["text"] for found in json.loads(output) if found["check"] == "record")
        return code, record.partition("event(s), ")[2] or record


@pytest.fixture
def office(monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
    monkeypatch.chdir(folder)
    made = Office(folder)
    made.configure(CONFIG)
    yield made
    shutil.rmtree(folder)


@pytest.fixture
def control(office: Office) -> Iterator[Control]:
    with own_executor(office.path) as opened:
        yield opened
        for run_id in opened.active():
            opened.cancel(run_id)


@pytest.fixture
def history(office: Office, control: Control) -> Iterator[History]:
    del control
    opened = History(office.path)
    yield opened
    opened.close()


def waiting_run(office: Office, control: Control, history: History) -> int:
    """A run whose stage `deploy` waits for an approval."""
    run_id = control.start_run(load_pipeline(office.pipeline(SHOP))).result(PATIENCE_S)
    subscription = control.subscribe()
    while history.stages(run_id)[1].status is not StageStatus.WAITING_APPROVAL:
        subscription.drain()
    return run_id


def finished(control: Control, history: History, run_id: int) -> Run:
    control.wait()
    return history.run(run_id)


def test_members_of_the_group_examine_what_is_shared_and_everybody_what_is_public(
    office: Office, control: Control, history: History
) -> None:
    run_id = waiting_run(office, control, history)
    assert office.doctor("nobody") == (0, "none changed and none missing")
    assert office.ask("nobody", "who")[0] == 0
    copy = office.folder / "published"
    Publication(office.path, copy, public=True).update()
    public = Office(office.folder, copy / office.path.name)
    assert public.doctor("daemon") == (0, "none changed and none missing")
    control.cancel(run_id).result(PATIENCE_S)
    control.wait()
    control.close()
    assert office.doctor("nobody") == (0, "none changed and none missing")
    (copy / f"{office.path.name}.head").unlink()
    code, said = public.doctor("daemon")
    assert code == 1
    assert "is missing or unreadable" in said


def test_other_accounts_are_told_what_keeps_the_executor_from_going_on(
    office: Office, control: Control
) -> None:
    mark = control._executor.database.trouble_mark
    sentence = f"The disk is full: {office.path} cannot be written"
    with DistantControl(office.path) as distant:
        mark.set(Trouble.FULL)
        assert distant.trouble == sentence
        assert office.ask("nobody", "who")[2] == f"{sentence}\n"
        mark.clear(Trouble.FULL)
        assert distant.trouble == ""


def test_an_approver_of_another_account_approves(
    office: Office, control: Control, history: History
) -> None:
    run_id = waiting_run(office, control, history)
    code, output, complaints = office.ask("nobody", "approve", run_id, "deploy", "--comment", "go")
    assert (code, output, complaints) == (0, f"Approved stage 'deploy' of run {run_id}\n", "")
    (approval,) = history.approvals(run_id)
    assert (approval.actor, approval.comment) == ("nobody", "go")
    assert finished(control, history, run_id).status is RunStatus.SUCCEEDED


def test_the_approver_of_the_last_stage_is_answered_although_the_command_ends_with_it(
    office: Office,
) -> None:
    command = [sys.executable, "-m", "orchestrate_tui", "run", str(office.pipeline(SHOP))]
    for _ in range(3):
        running = subprocess.Popen(
            [*command, "--db", str(office.path), "--json"],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert running.stderr is not None
        words = running.stderr.readline().split()  # Stage 'deploy' waits … approve RUN deploy
        run_id = int(words[words.index("approve") + 1])
        code, output, complaints = office.ask("nobody", "approve", run_id, "deploy")
        assert (code, complaints) == (0, "")
        assert output == f"Approved stage 'deploy' of run {run_id}\n"
        running.communicate(timeout=PATIENCE_S)
        assert running.returncode == 0


def test_a_rejection_from_another_account_ends_the_run(
    office: Office, control: Control, history: History
) -> None:
    run_id = waiting_run(office, control, history)
    assert office.ask("nobody", "reject", run_id, "deploy", "--comment", "not today")[0] == 0
    run = finished(control, history, run_id)
    assert run.status is RunStatus.FAILED
    assert "rejected by nobody: not today" in run.reason


def test_a_right_that_is_missing_is_named_with_who_grants_it(
    office: Office, control: Control, history: History
) -> None:
    run_id = waiting_run(office, control, history)
    for user, right, deed, command in (
        ("daemon", "approve", "approve stages", ("approve", run_id, "deploy")),
        ("daemon", "approve", "reject stages", ("reject", run_id, "deploy")),
        ("nobody", "run", "cancel runs", ("cancel", run_id)),
        ("nobody", "run", "start runs", ("run", office.folder / "pipeline.yaml")),
        ("nobody", "run", "resume runs", ("resume", run_id)),
        ("nobody", "run", "acknowledge runs", ("acknowledge", run_id)),
        ("games", "run", "cancel runs", ("cancel", run_id)),
        ("bin", "approve", "approve stages", ("approve", run_id, "deploy")),
    ):
        code, output, complaints = office.ask(user, *command)
        assert (code, output) == (2, "")
        assert f"You ({user}) may not {deed} here" in complaints
        assert f"the right '{right}' is missing. {current_user()} grants it" in complaints
        assert len(complaints.splitlines()) == 1
    assert history.stages(run_id)[1].status is StageStatus.WAITING_APPROVAL
    control.cancel(run_id).result(PATIENCE_S)


def test_the_right_to_approve_makes_nobody_an_approver(
    office: Office, control: Control, history: History
) -> None:
    office.configure(CONFIG.replace("daemon: [run]", "daemon: [approve]"))
    with own_executor(office.path):
        run_id = waiting_run(office, control, history)
        code, _, complaints = office.ask("daemon", "approve", run_id, "deploy")
        assert code == 2
        assert "You (daemon) may not decide on stage 'deploy'" in complaints
    control.cancel(run_id).result(PATIENCE_S)


def test_another_account_cancels(office: Office, control: Control, history: History) -> None:
    run_id = waiting_run(office, control, history)
    code, output, _ = office.ask("daemon", "cancel", run_id, "--json")
    assert (code, *json.loads(output)) == (0, "outcome")
    run = finished(control, history, run_id)
    assert (run.status, run.reason) == (RunStatus.CANCELLED, "cancelled by daemon")


def test_another_account_rolls_an_ended_run_back(
    office: Office, control: Control, history: History
) -> None:
    run_id = waiting_run(office, control, history)
    office.ask("nobody", "approve", run_id, "deploy")
    control.wait()
    stages = ("--from", "deploy", "--to", "build")
    code, output, _ = office.ask("games", "rollback", run_id, *stages, "--dry-run", "--json")
    assert [step["stage_name"] for step in json.loads(output)["steps"]] == ["deploy", "build"]
    code, output, complaints = office.ask(
        "nobody", "rollback", run_id, *stages, "--reason", "errors", "--yes"
    )
    assert (code, output, complaints) == (0, f"Rollback 1 of run {run_id} succeeded\n", "")
    event = history.rollback(1)
    assert (event.actor, event.reason) == ("nobody", "errors")


def test_another_account_decides_about_a_step_that_failed(
    office: Office, control: Control, history: History
) -> None:
    broken = SHOP.replace("{agent: undo, task: t}", "{agent: broken, task: t}")
    text = broken.partition("  - {name: deploy")[0]
    run = control.begin_run(load_pipeline(office.pipeline(text))).end.result(PATIENCE_S)
    demand = RollbackDemand(from_stage="build", waits=True)
    rollback_id = control.rollback(run.id, demand).result(PATIENCE_S)
    end = control.follow_rollback(rollback_id)
    while not history.rollback(rollback_id).waiting_since:
        assert not wait([end], timeout=0.02).done
    command = ("rollback-step", rollback_id, "done", "--reason", "by hand")
    code, _, complaint = office.ask("games", *command)
    assert (code, "the right 'rollback' is missing" in complaint) == (2, True)
    assert office.ask("nobody", *command)[0] == 0
    assert end.result(PATIENCE_S).status is RollbackStatus.SUCCEEDED
    (step,) = history.steps(rollback_id)
    assert (step.status, step.error_message) == (
        StepStatus.DONE,
        "said to be undone by nobody: by hand",
    )


def test_another_account_stops_a_running_run_for_a_rollback_and_halts_that(
    office: Office, control: Control, history: History
) -> None:
    ready, gate = Pipe(office.folder / "ready"), Pipe(office.folder / "gate")
    run_id = control.start_run(load_pipeline(office.pipeline(HELD))).result(PATIENCE_S)
    ready.stage()
    asked = OtherUser.named("nobody").start(
        "import sys; from orchestrate_tui.cli import main; sys.exit(main(sys.argv[1:]))",
        *("rollback", run_id, "--from", "build", "--to", "build", "--reason", "x", "--yes"),
        *("--db", office.path),
        groups=[grp.getgrnam(GROUP).gr_gid],
    )
    ready.stage()
    assert office.ask("nobody", "rollback-step", 1, "halt", "--reason", "enough")[0] == 0
    asked.communicate(timeout=PATIENCE_S)
    assert asked.returncode == 1
    event = history.rollback(1)
    assert (event.status, event.actor) == (RollbackStatus.FAILED, "nobody")
    assert "nobody" in (event.error_message or "")
    assert finished(control, history, run_id).status is RunStatus.CANCELLED
    for pipe in (ready, gate):
        pipe.close()


def test_another_account_starts_a_pipeline_that_is_offered(office: Office) -> None:
    file = office.pipeline(SHOP.replace("requires_approval: true, approvers: [nobody, bin],", "")
                           .replace("approval: {quorum: 1}, ", ""))  # fmt: skip
    office.configure(f"{CONFIG}\npipelines: {file}\n")
    with own_executor(office.path), closing(History(office.path)) as history:
        code, output, complaints = office.ask("daemon", "run", file, "--branch", "main")
        assert (code, complaints) == (0, "")
        assert output.endswith("Run 1 succeeded\n")
        run = history.run(1)
        assert (run.actor, run.trigger.branch) == ("daemon", "main")
        assert office.ask("daemon", "run", file, "--detach") == (0, "2\n", "")


@pytest.mark.parametrize("name", ["pipeline.yaml", "agents.yaml", ""])
def test_a_pipeline_that_others_could_change_is_started_for_nobody(
    office: Office, name: str
) -> None:
    file = office.pipeline("name: shop\nagents: {a: {shell: x}}\nstages: []\n")
    (office.folder / "agents.yaml").touch()
    office.configure(f"{CONFIG}\npipelines: {file}\n")
    (office.folder / name).chmod(0o777)
    with own_executor(office.path):
        code, _, complaints = office.ask("daemon", "run", file)
    assert code == 2
    assert f"{office.folder / name} may be changed by everybody" in complaints


def test_a_right_that_is_taken_away_is_gone_at_once(
    office: Office, control: Control, history: History
) -> None:
    run_id = waiting_run(office, control, history)
    office.configure(CONFIG.replace("daemon: [run]", "daemon: [view]"))
    code, _, complaints = office.ask("daemon", "cancel", run_id)
    assert code == 2
    assert "the right 'run' is missing" in complaints
    office.configure("access: 7")
    code, _, complaints = office.ask("daemon", "cancel", run_id)
    assert code == 2
    assert f"The configuration of {current_user()} cannot be used" in complaints
    assert history.run(run_id).status is RunStatus.RUNNING
    control.cancel(run_id).result(PATIENCE_S)


def test_a_pipeline_that_is_not_offered_is_not_started(office: Office, control: Control) -> None:
    del control
    code, _, complaints = office.ask("daemon", "run", office.pipeline(SHOP))
    assert code == 2
    assert "is none of the pipelines that others may start" in complaints


PROTECTS = f"{CONFIG}environments: {{production: {{protected: true}}}}\n"
DEPLOYED = f"""
name: shop
{AGENTS}
stages:
  - {{name: deploy, agent: fine, task: t, environment: production,
      rollback: {{agent: undo, task: t}}}}
"""


@pytest.fixture
def deployed(office: Office) -> Iterator[History]:
    """A run that has deployed to an environment that only its owner's configuration protects."""
    office.configure(PROTECTS)
    with own_executor(office.path) as control, closing(History(office.path)) as history:
        run = load_pipeline(office.pipeline(DEPLOYED))
        assert control.begin_run(run).end.result(PATIENCE_S).status is RunStatus.SUCCEEDED
        yield history


def test_what_the_owner_protects_other_accounts_have_to_confirm(
    office: Office, deployed: History
) -> None:
    rollback = ("rollback", 1, "--from", "deploy", "--to", "deploy", "--reason", "x", "--yes")
    code, _, complaints = office.ask("nobody", *rollback)
    assert code == 2
    assert "Run 1 touches a protected environment. Confirm that with --confirm 'prod" in complaints
    assert deployed.rollbacks(1) == ()
    assert office.ask("nobody", *rollback, "--confirm", "production")[0] == 0


def test_the_executor_itself_refuses_what_was_not_confirmed(
    office: Office, deployed: History
) -> None:
    demand = RollbackDemand(from_stage="deploy", to_stage="deploy", reason="x")
    with DistantControl(office.path) as distant:
        assert distant.protected == frozenset()
        for control in (distant, distant.confirming(("staging",))):
            with pytest.raises(Unconfirmed) as refused:
                control.rollback(1, demand).result(PATIENCE_S)
            assert refused.value.environments == ("production",)
        with pytest.raises(Unconfirmed):
            distant.cancel(1).result(PATIENCE_S)
        assert distant.protected == {"production"}  # its dialogs ask for the name from now on
        assert distant.confirming(("production",)).rollback(1, demand).result(PATIENCE_S) == 1
    with DistantControl(office.path) as another:
        another.greet().result(PATIENCE_S)
        assert another.protected == {"production"}
    assert deployed.rollback(1).run_id == 1


def test_who_may_not_take_a_run_over_is_told_so_before_a_name_is_asked_for(
    office: Office,
    deployed: History,  # noqa: ARG001
) -> None:
    code, _, complaints = office.ask("nobody", "resume", 1, "--take-over", "--reason", "x")
    assert code == 2
    assert "Only the owner of the database takes a run over" in complaints


def test_what_the_owner_protects_no_more_is_asked_for_no_more(
    office: Office, deployed: History
) -> None:
    office.configure(CONFIG)
    rollback = ("rollback", 1, "--from", "deploy", "--to", "deploy", "--reason", "x", "--yes")
    assert office.ask("nobody", *rollback)[0] == 0
    assert deployed.rollback(1).status is RollbackStatus.SUCCEEDED


def test_where_nobody_executes_another_account_is_told_so(office: Office) -> None:
    with own_executor(office.path):
        pass
    code, _, complaints = office.ask("nobody", "approve", 1, "deploy")
    assert code == 2
    assert "No executor of" in complaints
    assert f"Ask {current_user()} to open a console" in complaints


def test_who_is_not_in_the_group_may_not_ask(office: Office, control: Control) -> None:
    del control
    code, _, complaints = OtherUser.named("daemon").run("cancel", 1, "--db", office.path)
    assert code == 2
    assert "You (daemon) may not read the database" in complaints


def test_nobody_runs_pipelines_on_a_database_of_another_user(office: Office) -> None:
    with own_executor(office.path):
        pass
    os.chown(office.path, 1, -1)
    with (
        pytest.raises(Refused, match=r"belongs to daemon: only daemon runs"),
        own_executor(office.path),
    ):
        pass
