from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrate_tui.agents import perform
from orchestrate_tui.agents.contract import Outcome, Work
from orchestrate_tui.agents.hosted import HostLauncher
from orchestrate_tui.domain.variables import environment_of, substitute
from orchestrate_tui.spec import load_pipeline, problems_for_run

DEMO = Path(__file__).parents[3] / "examples" / "demo"
UNDO = "undo of deploy"

pytestmark = pytest.mark.anyio


class Demo:
    """Deploys with the stages of the demo's pipeline, one after the other."""

    def __init__(self, folder: Path, launcher: HostLauncher) -> None:
        self._launcher = launcher
        self.root = folder / "root"
        self.logs = folder / "logs"
        self.pipeline = load_pipeline(DEMO / "pipeline.yaml", user_agents=folder / "none").pipeline
        self.variables: dict[str, str] = {}
        self.outputs: dict[tuple[str, str], str] = {}

    async def deploy(self, **variables: str) -> dict[str, Outcome]:
        """Do the stages until one fails; what became of each."""
        self.variables = {**dict(self.pipeline.variables), "root": str(self.root), **variables}
        self.outputs = {}
        outcomes: dict[str, Outcome] = {}
        for stage in self.pipeline.stages:
            outcome = await self._perform(stage.name, stage.agent, stage.task)
            outcomes[stage.name] = outcome
            if not outcome.succeeded:
                break
            for key, value in outcome.outputs:
                self.outputs[stage.name, key] = value
        return outcomes

    async def undo(self) -> Outcome:
        """Undo the stage `deploy` of the last deployment."""
        stage = self.pipeline.stage("deploy")
        assert stage
        assert stage.rollback
        assert stage.rollback.agent
        return await self._perform(UNDO, stage.rollback.agent, stage.rollback.task)

    async def _perform(self, name: str, agent_name: str, task: str) -> Outcome:
        agent = self.pipeline.agent(agent_name)
        assert agent
        values = self.variables | {
            f"stages.{stage}.{key}": value for (stage, key), value in self.outputs.items()
        }
        declared = dict(self.pipeline.variables)
        environment = environment_of(declared, self.variables, self.outputs)
        work = Work(
            run_id=1,
            stage_name=name,
            agent=agent,
            task=substitute(task, values),
            attempt=1,
            workdir=self.logs.parent,
            log_path=self.logs / f"{name}.log",
            idempotency_key=name,
            timeout_s=30,
            values=values,
            variables=environment | {"ORCHESTRATE_PIPELINE_DIR": str(DEMO)},
        )
        return await perform(work, self._launcher)

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text()

    def live(self) -> str:
        """The name of the release that is live."""
        return (self.root / "current").readlink().name

    def ask(self, path: str) -> tuple[int, str]:
        """What the web server answers: the status and the text."""
        record = json.loads((self.root / "service.json").read_text())
        connection = http.client.HTTPConnection("127.0.0.1", record["port"], timeout=60)
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text

    def stop(self) -> None:
        environment = dict(os.environ, root=str(self.root))
        subprocess.run(["sh", DEMO / "stop.sh"], env=environment, check=True)


@pytest.fixture
def demo(tmp_path: Path, launcher: HostLauncher) -> Iterator[Demo]:
    demo = Demo(tmp_path, launcher)
    yield demo
    demo.stop()


def test_nothing_stands_in_the_way_of_a_run(tmp_path: Path) -> None:
    loaded = load_pipeline(DEMO / "pipeline.yaml", user_agents=tmp_path / "none")
    assert loaded.warnings == ()
    assert problems_for_run(loaded, {"version": "1"}, simulate=False) == ()


async def test_a_release_goes_live(demo: Demo) -> None:
    outcomes = await demo.deploy(version="1")
    assert all(outcome.succeeded for outcome in outcomes.values())
    assert list(outcomes) == [stage.name for stage in demo.pipeline.stages]
    assert demo.live() == "1"
    assert "Release 1" in demo.ask("/")[1]
    assert demo.ask("/health") == (200, "release 1 is well\n")


async def test_the_next_release_goes_live_without_a_restart(demo: Demo) -> None:
    first = await demo.deploy(version="1")
    second = await demo.deploy(version="2")
    assert dict(second["deploy"].outputs)["previous"] == "1"
    assert second["start"].outputs == first["start"].outputs
    assert demo.ask("/health") == (200, "release 2 is well\n")


@pytest.mark.parametrize("variables", [{"version": "2-broken"}, {"version": "2", "broken": "true"}])
async def test_a_broken_release_is_found_and_undone(demo: Demo, variables: dict[str, str]) -> None:
    await demo.deploy(version="1")
    outcomes = await demo.deploy(**variables)
    assert outcomes["smoke-test"].reason == "status 500, expected 200"
    assert demo.live() == variables["version"]
    assert (await demo.undo()).succeeded
    assert demo.live() == "1"
    assert demo.ask("/health") == (200, "release 1 is well\n")
    assert "200 release 1 is well" in demo.log(UNDO)


async def test_an_undo_may_be_repeated(demo: Demo) -> None:
    await demo.deploy(version="1")
    await demo.deploy(version="2-broken")
    assert (await demo.undo()).succeeded
    assert (await demo.undo()).succeeded
    assert demo.live() == "1"


async def test_an_undo_starts_a_web_server_that_is_gone(demo: Demo) -> None:
    await demo.deploy(version="1")
    await demo.deploy(version="2-broken")
    demo.stop()
    assert (await demo.undo()).succeeded
    assert demo.ask("/health") == (200, "release 1 is well\n")


async def test_an_undo_that_proves_nothing_fails(demo: Demo) -> None:
    await demo.deploy(version="1")
    await demo.deploy(version="2-broken")
    (demo.root / "releases" / "1" / "settings.json").write_text("{")
    assert (await demo.undo()).reason == "exit code 1"
    assert "/health: 500 the release is not well" in demo.log(UNDO)


async def test_undoing_the_first_release_leaves_nothing_running(demo: Demo) -> None:
    await demo.deploy(version="1-broken")
    assert (await demo.undo()).succeeded
    assert not (demo.root / "current").is_symlink()
    assert not (demo.root / "service.json").exists()


async def test_a_version_that_is_built_again_is_another_release(demo: Demo) -> None:
    await demo.deploy(version="1")
    again = await demo.deploy(version="1")
    assert again["build"].outputs == (("release", "1.2"),)
    assert (await demo.undo()).succeeded
    assert demo.ask("/health") == (200, "release 1 is well\n")


@pytest.mark.parametrize("version", ["../up", "a b", "-rf", "", ".", "$(touch x)"])
async def test_a_version_that_cannot_name_a_folder_is_refused(demo: Demo, version: str) -> None:
    outcomes = await demo.deploy(version=version)
    assert list(outcomes) == ["build"]
    assert f"version '{version}' cannot name a folder" in demo.log("build")


async def test_a_folder_reached_by_a_link_is_refused(demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    demo.root.symlink_to(tmp_path / "elsewhere")
    outcomes = await demo.deploy(version="1")
    demo.root.unlink()
    assert not outcomes["build"].succeeded
    assert "somebody else's" in demo.log("build")


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["tail", "-f", os.devnull]) as process:
        yield process
        process.kill()


async def test_stopping_does_not_end_another_process_with_the_recorded_pid(
    demo: Demo, bystander: subprocess.Popen[bytes]
) -> None:
    await demo.deploy(version="1")
    record = demo.root / "service.json"
    service = json.loads(record.read_text())
    record.write_text(json.dumps(service | {"pid": bystander.pid}))
    demo.stop()
    assert bystander.poll() is None
    record.write_text(json.dumps(service))


async def test_nothing_is_written_beside_the_scripts(demo: Demo) -> None:
    def listing() -> list[Path]:
        return sorted(DEMO.rglob("*"))

    before = listing()
    await demo.deploy(version="1")
    assert listing() == before


async def test_without_a_root_the_temporary_folder_is_used(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    outcomes = await demo.deploy(version="1", root="")
    demo.root = tmp_path / f"orchestrate-tui-demo-{os.getuid()}"
    assert outcomes["announce"].succeeded
    assert demo.live() == "1"
    assert demo.root.stat().st_mode & 0o777 == 0o700


def test_the_scripts_are_sound() -> None:
    scripts = list(DEMO.glob("*.sh"))
    assert scripts
    for script in scripts:
        subprocess.run([shutil.which("sh") or "sh", "-n", script], check=True)
