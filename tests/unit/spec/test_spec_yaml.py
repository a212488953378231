"""YAML itself: what is refused before any field is looked at."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrate_tui.errors import PipelineFileError, Problem, Severity
from orchestrate_tui.spec import LoadedPipeline, compose, load_pipeline, parse_pipeline

Problems = Callable[[str], list[str]]
Load = Callable[[str], LoadedPipeline]

STAGE = "stages: [{name: s, agent: a, task: t}]\n"


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n...\n", "~\n"])
def test_an_empty_file_is_told_so(problems: Problems, text: str) -> None:
    assert problems(text) == ["1:1: the file is empty"]


@pytest.mark.parametrize(("text", "kind"), [("- a\n", "a list"), ("hello\n", "a single value")])
def test_a_pipeline_is_a_mapping(problems: Problems, text: str, kind: str) -> None:
    assert problems(text) == [f"1:1: a pipeline is a mapping of keys to values, not {kind}"]


def test_a_duplicate_key_is_refused_with_the_first_ones_line() -> None:
    with pytest.raises(PipelineFileError) as caught:
        parse_pipeline("name: p\nname: q\n" + STAGE)
    problem, *warnings = caught.value.problems
    assert {one.severity for one in warnings} == {Severity.WARNING}
    assert str(problem) == "<pipeline>:2:1: duplicate key 'name' (it stands in line 1 already)"


def test_duplicate_keys_are_found_everywhere(problems: Problems) -> None:
    text = """\
        name: p
        variables: {a: 1, a: 2}
        stages:
          - name: s
            agent: a
            agent: b
            task: t
            env: {X: 1, "X": 2}
    """
    assert problems(text) == [
        "2:19: duplicate key 'a'",
        "6:5: duplicate key 'agent'",
        "8:17: duplicate key 'X'",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: p\n\tversion: 1\n", "2:1: YAML takes no tab here"),
        ("name:\tp\n", "1:6: YAML takes no tab here"),
        ("name: a: b\n", "1:8: a ':' does not fit here"),
        ("name: @x\n", "1:7: a value cannot begin with this character"),
        ("name: 'p\n", "1:7: a quote is not closed"),
        ("name: [a, b\n", "1:7: a '[' is not closed"),
        ("name: {a: b\n", "1:7: a '{' is not closed"),
        ("name: p\n  version: 1\n", "2:10: a ':' does not fit here"),
        ("stages:\n  - name: a\n - name: b\n", "3:2: the indentation does not fit"),
        ("name: p\nversion\nstages: []\n", "3:1: a key without ':' and value"),
        ("name: p\n---\nname: q\n", "2:1: a second document begins here, but a file holds one"),
        ("name: *x\n", "1:7: not valid YAML: found undefined alias 'x'"),
        ("name: !!python/name:os.system x\n", "1:7: the tag 'tag:yaml.org,2002:python/name:os.sys"),
        ("name: !secret x\n", "1:7: the tag '!secret' is not allowed"),
        ("name: a\x07b\n", "1:8: the character U+0007 is not allowed in YAML"),
        ("a: 1\nname: a\x00b\n", "2:8: the character U+0000 is not allowed in YAML"),
        ('name: "\\UFFFFFFFF"\n', "not valid YAML: a number or an escape is out of range"),
        ('name: "\\q"\n', "1:9: not valid YAML: found unknown escape character"),
        ("? [a, b]\n: c\nname: p\n", "1:3: a key must be text"),
        ("name: &a [*a]\n", "1:11: the alias '*a' contains itself"),
        ("name: p\n<<: 5\n", "2:5: '<<' merges a mapping or a list of mappings"),
        ("%YAML 1.2\n---\nname: [\n", "4:1: the file ends inside a value"),
    ],
)
def test_broken_yaml_is_one_sentence_with_its_place(
    problems: Problems, text: str, message: str
) -> None:
    assert message in "\n".join(problems(text))


def test_nesting_is_limited(problems: Problems) -> None:
    found = problems("name: " + "[" * 60 + "]" * 60 + "\n")
    assert found == ["1:46: nested more than 40 levels deep"]


@pytest.mark.parametrize("bracket", ["[", "{", "- ", "{a: ", "[{"])
def test_two_hundred_thousand_brackets_are_refused(problems: Problems, bracket: str) -> None:
    assert "nested more than 40 levels deep" in problems(bracket * 200_000)[0]


def test_a_file_of_too_many_values_is_refused(
    problems: Problems, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "MOST_NODES", 300)
    text = "name: p\nstages:\n" + "- a\n" * 10_000
    assert problems(text) == ["300:3: the file holds more than 300 values"]


@pytest.mark.timeout(60)  # it would take all memory
def test_aliases_that_explode_are_refused(problems: Problems) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 30):
        inside = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{inside}]")
    assert problems("\n".join(lines)) == ["5:25: aliases expand to more than 50,000 values"]


@pytest.mark.timeout(60)  # it would take all memory
def test_merges_that_explode_are_refused(problems: Problems) -> None:
    lines = ["a0: &a0 {k: v, l: w}"]
    for level in range(1, 30):
        inside = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} {{<<: [{inside}]}}")
    assert "aliases expand to more than 50,000 values" in problems("\n".join(lines))[0]


def test_aliases_do_not_get_around_the_limit_of_depth(problems: Problems) -> None:
    deep = "a: &a " + "[" * 25 + "]" * 25
    deeper = "b: " + "[" * 25 + "*a" + "]" * 25
    assert problems(f"{deep}\n{deeper}\n") == ["2:29: nested more than 40 levels deep"]


def test_ordinary_aliases_and_merges_are_fine(load: Load) -> None:
    loaded = load("""\
        name: p
        stages:
          - &first
            name: one
            agent: a
            task: &task do it
            timeout: 5m
            env: &env {A: '1', B: '2'}
          - <<: *first
            name: two
            env: {<<: *env, B: '3'}
          - {name: three, agent: b, task: *task}
          - {<<: [{agent: x, name: four}, *first]}
    """)
    one, two, three, four = loaded.pipeline.stages
    assert (two.agent, two.task, two.timeout_s) == ("a", "do it", 300.0)
    assert dict(two.env) == {"A": "1", "B": "3"}
    assert three.task == one.task
    assert (four.name, four.agent, four.task) == ("four", "x", "do it")


def test_a_problem_in_a_merged_mapping_is_told_once(problems: Problems) -> None:
    text = """\
        name: p
        stages:
          - &first {name: one, agent: a, task: t, timeout: soon}
          - {<<: *first, name: two}
          - {<<: *first, name: three}
    """
    assert problems(text) == ["3:52: 'timeout': 'soon' is not a duration"]


def test_a_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: p\r\n" + STAGE.encode())
    assert load_pipeline(file, user_agents=tmp_path / "none").pipeline.name == "p"


def test_json_is_yaml(load: Load) -> None:
    loaded = load('{"name": "p", "stages": [{"name": "s", "agent": "a", "task": "t"}]}')
    assert loaded.pipeline.stages[0].task == "t"


def test_control_characters_of_a_file_never_reach_a_message(problems: Problems) -> None:
    found = problems('name: p\n"ke\\ey\\u202E": 1\n' + STAGE)
    assert found == ["2:1: unknown key 'ke␛y<U+202E>' in a pipeline"]


def problems_in(text: str) -> tuple[Problem, ...]:
    try:
        return parse_pipeline(text).warnings
    except PipelineFileError as error:
        return error.problems


def test_no_mutilated_file_brings_anything_but_problems() -> None:
    source = Path(__file__).parents[3].joinpath("examples/features.yaml").read_text()
    rng = random.Random(20240)
    for _ in range(150):
        characters = list(source)
        for _ in range(rng.randint(1, 12)):
            place = rng.randrange(len(characters))
            characters[place : place + rng.randint(0, 3)] = rng.choice(
                "[]{}:-&*!|>'\"\\%@`#,? \n\t~<"
            )
        found = problems_in("".join(characters))
        assert all(problem.message and problem.line for problem in found)
