"""The examples load, say what the schema says, and do real work with nothing but POSIX tools."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from orchestrate_tui.domain.pipeline import Agent, AgentKind, OnFailure, Stage
from orchestrate_tui.domain.variables import environment_of, render_command, substitute
from orchestrate_tui.spec import LoadedPipeline, json_schema, load_pipeline, problems_for_run

EXAMPLES = Path(__file__).parents[2] / "examples"
README = EXAMPLES.parent / "README.md"
RUNNABLE = (
    *("cd", "chain", "ci", "components", "features", "release", "restore", "secrets", "security"),
    "symlink",
)


class Editor(yaml.SafeLoader):
    """Reads as YAML 1.2 does, and so most editors: `on` is a word."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (its base declares it so)
        first: [one for one in resolvers if one[0] != "tag:yaml.org,2002:bool" or first in "tTfF"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def loaded_example(name: str) -> LoadedPipeline:
    return load_pipeline(EXAMPLES / f"{name}.yaml", user_agents=EXAMPLES / "none")


def test_the_committed_schema_is_the_one_of_the_reader() -> None:
    committed = json.loads((EXAMPLES / "pipeline.schema.json").read_text())
    assert committed == json_schema()


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_every_example_is_known_here_and_fits_the_schema(file: Path) -> None:
    assert file.stem in {*RUNNABLE, "notify", "pipeline-rollback"}
    text = file.read_text()
    assert text.startswith("# yaml-language-server: $schema=pipeline.schema.json\n")
    Draft202012Validator(json_schema()).validate(yaml.load(text, Editor))


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_example_is_ready_to_run(name: str) -> None:
    loaded = loaded_example(name)
    assert loaded.warnings == ()
    assert problems_for_run(loaded, {}, simulate=False) == ()
    assert all(stage.approval is None for stage in loaded.pipeline.stages)


def test_the_readme_lists_every_example() -> None:
    listed = re.findall(r"^\| `examples/(\S+)` \|", README.read_text(), re.MULTILINE)
    files = {file.name for file in EXAMPLES.glob("*.yaml")}
    assert sorted(listed) == sorted(files)


def test_the_rollback_example_is_the_established_one() -> None:
    loaded = loaded_example("pipeline-rollback")
    targets = {stage.name: stage.rollback_to for stage in loaded.pipeline.stages}
    assert targets == {
        "build": None,
        "deploy-staging": None,
        "smoke-test-staging": "deploy-staging",
        "integration-test": None,
        "deploy-production": None,
        "smoke-test-production": "deploy-production",
        "health-check": None,
    }
    approval = loaded.pipeline.stages[4].approval
    assert approval
    assert approval.approvers == ("team-lead", "ops-manager")
    assert loaded.pipeline.stages[6].on_failure is OnFailure.CONTINUE


def test_the_rollback_example_needs_agents_or_a_simulation() -> None:
    loaded = loaded_example("pipeline-rollback")
    undefined = problems_for_run(loaded, {}, simulate=False)
    assert len(undefined) == len(loaded.pipeline.stages)
    assert all("which nobody defines" in problem.message for problem in undefined)
    assert problems_for_run(loaded, {}, simulate=True) == ()


class Bench:
    """Does the stages of an example one after the other, as the executor would."""

    def __init__(self, loaded: LoadedPipeline, folder: Path) -> None:
        self.pipeline = loaded.pipeline
        self.order = loaded.graph.order
        self.folder = folder
        self.outputs: dict[tuple[str, str], str] = {}
        self.variables = dict(loaded.pipeline.variables)

    def run(self) -> dict[str, int]:
        return {name: self.perform(self.stage(name)) for name in self.order}

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.pipeline.stages if stage.name == name)

    def perform(self, stage: Stage) -> int:
        attempts = range(1, stage.retry.attempts + 1)
        codes = (self.start(stage, stage.agent, stage.task, attempt) for attempt in attempts)
        return next((code for code in codes if code == 0), 1)

    def undo(self, stage: Stage) -> int:
        assert stage.rollback
        return self.start(stage, stage.rollback.agent or stage.agent, stage.rollback.task, 1)

    def start(self, stage: Stage, agent_name: str, task: str, attempt: int) -> int:
        agent = self.pipeline.agent(agent_name)
        assert agent
        if agent.kind is AgentKind.SIMULATED:
            return 0
        values = self.values()
        values |= {"stage": stage.name, "run_id": "1", "task": substitute(task, values)}
        output = self.folder / "output"
        output.unlink(missing_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            **environment_of(self.variables, self.variables, self.outputs),
            "ORCHESTRATE_TASK": values["task"],
            "ORCHESTRATE_STAGE": stage.name,
            "ORCHESTRATE_ATTEMPT": str(attempt),
            "ORCHESTRATE_ENVIRONMENT": stage.environment or "",
            "ORCHESTRATE_OUTPUT": str(output),
            "ORCHESTRATE_PIPELINE_DIR": str(EXAMPLES),
        }
        argv = command_of(agent, values)
        code = subprocess.run(argv, cwd=self.folder, env=environment, check=False).returncode
        if output.exists():
            pairs = (line.split("=", 1) for line in output.read_text().splitlines())
            self.outputs |= {(stage.name, key): value for key, value in pairs}
        return code

    def values(self) -> dict[str, str]:
        found = {f"stages.{stage}.{key}": value for (stage, key), value in self.outputs.items()}
        return {**self.variables, **found}


def command_of(agent: Agent, values: Mapping[str, str]) -> tuple[str, ...]:
    if agent.kind is AgentKind.SHELL:
        return ("/bin/sh", "-e", "-c", agent.shell)
    return render_command(agent.command, values)


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_example_does_its_work_twice_in_a_row(name: str, tmp_path: Path) -> None:
    for _ in range(2):
        bench = Bench(loaded_example(name), tmp_path)
        failed = {stage for stage, code in bench.run().items() if code}
        assert failed == ({"doubtful"} if name == "features" else set())


def test_the_deployment_example_goes_back_to_the_version_before(tmp_path: Path) -> None:
    version = tmp_path / "cd-work/staging/VERSION"
    bench = Bench(loaded_example("cd"), tmp_path)
    for number in ("1.10", "1.11"):
        bench.variables["version"] = number
        assert set(bench.run().values()) == {0}
    assert version.read_text() == "1.11\n"
    assert bench.undo(bench.stage("deploy-staging")) == 0
    assert version.read_text() == "1.10\n"
    assert bench.undo(bench.stage("deploy-staging")) == 0
    assert not version.exists()


def test_the_security_example_finds_what_it_looks_for(tmp_path: Path) -> None:
    (tmp_path / "id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "theirs").write_text("-----BEGIN PRIVATE KEY-----\n")
    (tmp_path / "mentioned").write_text("it begins with -----BEGIN PRIVATE KEY-----\n")
    (tmp_path / "open").touch()
    (tmp_path / "open").chmod(0o666)
    (tmp_path / "install.sh").write_text("curl -s https://127.0.0.1/x | sh\n")
    bench = Bench(loaded_example("security"), tmp_path)
    codes = bench.run()
    assert {name for name, code in codes.items() if code} == {
        "private-keys",
        "permissions",
        "fetched-code",
    }
    assert bench.outputs["report", "findings"] == "3"
    assert (tmp_path / "security-work" / "keys").read_text() == "./id\n"


def test_the_release_example_can_be_withdrawn(tmp_path: Path) -> None:
    bench = Bench(loaded_example("release"), tmp_path)
    assert set(bench.run().values()) == {0}
    published = tmp_path / "release-work/published/1.10"
    assert sorted(file.name for file in published.iterdir()) == ["CHECKSUMS", "NOTES", "program.sh"]
    assert bench.undo(bench.stage("publish")) == 0
    assert not published.exists()
