"""`${name}` in texts and commands, and the environment that carries the same values."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.domain.variables import (
    BUILT_IN,
    NAME,
    UnknownVariable,
    UnsafeValue,
    changes_how_programs_start,
    declared_name,
    environment_of,
    output_name,
    output_reference,
    program_text_items,
    references,
    render_command,
    substitute,
    trigger_name,
)

ANYTHING = st.text(max_size=20)


class TestNames:
    @pytest.mark.parametrize("name", ["a", "_a", "app-name", "app.name", "A1", "environment"])
    def test_a_name_is_letters_digits_and_some_marks(self, name: str) -> None:
        assert NAME.match(name)

    @pytest.mark.parametrize("name", ["", "1a", "-a", ".a", "a b", "a$", "a}", "é", "a\n"])
    def test_anything_else_is_no_name(self, name: str) -> None:
        assert not NAME.match(name)

    def test_what_every_agent_knows_is_named(self) -> None:
        assert {"task", "stage", "run_id"} == BUILT_IN


class TestSubstitute:
    VALUES: ClassVar = {"app": "api", "app.version": "1.2", "empty": ""}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("", ""),
            ("deploy", "deploy"),
            ("deploy ${app}", "deploy api"),
            ("${app}${app}", "apiapi"),
            ("${app}:${app.version}", "api:1.2"),
            ("[${empty}]", "[]"),
            ("$app and $(app) and {app}", "$app and $(app) and {app}"),
            ("$${app}", "${app}"),
            ("$$${app}", "$${app}"),
            ("$${unknown}", "${unknown}"),
            ("${x${app}}", "${xapi}"),
            ("${app", "${app"),
        ],
    )
    def test_a_reference_becomes_its_value(self, text: str, expected: str) -> None:
        assert substitute(text, self.VALUES) == expected

    def test_an_unknown_name_is_refused_by_name(self) -> None:
        with pytest.raises(UnknownVariable, match=r"unknown variable '\$\{ghost\}'") as caught:
            substitute("${app} ${ghost}", self.VALUES)
        assert caught.value.name == "ghost"

    @pytest.mark.parametrize("text", ["${ghost}", "${}", "${ app }", "${APP}"])
    def test_an_unknown_name_can_stay_as_it_was_written(self, text: str) -> None:
        assert substitute(text, self.VALUES, keep_unknown=True) == text

    def test_values_can_be_quoted(self) -> None:
        assert substitute("say ${app}", self.VALUES, quote=repr) == "say 'api'"

    @given(ANYTHING)
    def test_a_value_is_never_read_again(self, value: str) -> None:
        assert substitute("<${a}>", {"a": value, "app": "no"}) == f"<{value}>"

    @given(ANYTHING.filter(lambda text: not set(text) & set("{}")))
    def test_an_escaped_reference_is_written_without_its_escape(self, text: str) -> None:
        assert substitute(f"$${{{text}}}", {}) == f"${{{text}}}"
        assert references(f"$${{{text}}}") == ()

    def test_references_are_listed_in_order(self) -> None:
        assert references("${b} ${a} $${c} ${b}") == ("b", "a", "b")


class TestRenderCommand:
    @given(
        st.text(min_size=1, max_size=20).filter(lambda text: text[0] != "-" and "\0" not in text)
    )
    def test_a_value_never_splits_its_item(self, value: str) -> None:
        assert render_command(("prog", "${a}", "b"), {"a": value}) == ("prog", value, "b")

    def test_an_empty_value_keeps_its_place(self) -> None:
        assert render_command(("prog", "${a}", "b"), {"a": ""}) == ("prog", "", "b")

    @pytest.mark.parametrize("value", ["-rf", "--force", "-"])
    def test_a_value_that_looks_like_an_option_is_refused(self, value: str) -> None:
        with pytest.raises(UnsafeValue, match="would be read as an option"):
            render_command(("rm", "${path}"), {"path": value})

    def test_an_empty_value_before_it_does_not_hide_it(self) -> None:
        with pytest.raises(UnsafeValue):
            render_command(("rm", "${empty}${path}"), {"empty": "", "path": "-rf"})

    def test_text_before_it_makes_it_an_argument(self) -> None:
        assert render_command(("x", "--tag=${tag}"), {"tag": "-1"}) == ("x", "--tag=-1")

    def test_what_follows_two_dashes_is_an_argument(self) -> None:
        assert render_command(("rm", "--", "${path}"), {"path": "-rf"}) == ("rm", "--", "-rf")

    def test_several_values_may_follow_two_dashes(self) -> None:
        command = ("rm", "--", "${a}", "${b}")
        assert render_command(command, {"a": "-r", "b": "-f"}) == ("rm", "--", "-r", "-f")

    def test_two_dashes_before_another_program_do_not_count(self) -> None:
        command = ("kubectl", "exec", "pod", "--", "rm", "${path}")
        with pytest.raises(UnsafeValue):
            render_command(command, {"path": "-rf"})

    @pytest.mark.parametrize("command", [("rm", "${path}", "--"), ("${path}", "--")])
    def test_what_stands_before_two_dashes_is_refused(self, command: tuple[str, ...]) -> None:
        with pytest.raises(UnsafeValue):
            render_command(command, {"path": "-rf"})

    def test_a_value_of_two_dashes_ends_no_options(self) -> None:
        with pytest.raises(UnsafeValue):
            render_command(("rm", "x${dashes}", "${path}"), {"dashes": "--", "path": "-rf"})
        with pytest.raises(UnsafeValue):
            render_command(("rm", "${dashes}"), {"dashes": "--"})

    def test_an_option_that_the_file_writes_stays(self) -> None:
        assert render_command(("rm", "-rf", "-${flag}"), {"flag": "v"}) == ("rm", "-rf", "-v")

    def test_a_nul_character_is_refused_with_its_item(self) -> None:
        with pytest.raises(UnsafeValue, match=r"the value of '\$\{a\}' contains a NUL character"):
            render_command(("prog", "${a}"), {"a": "x\0y"})

    def test_an_unknown_variable_is_refused(self) -> None:
        with pytest.raises(UnknownVariable):
            render_command(("prog", "${ghost}"), {})


class TestProgramText:
    @pytest.mark.parametrize(
        "command",
        [
            ["${program}", "x"],
            ["/opt/${program}/bin/run"],
            ["pre${program}"],
        ],
    )
    def test_a_variable_may_not_choose_the_program(self, command: list[str]) -> None:
        assert program_text_items(command) == (0,)

    @pytest.mark.parametrize(
        "command",
        [
            ["sh", "-c", "echo ${x}"],
            ["/bin/sh", "-c", "echo ${x}"],
            ["bash", "-lc", "${x}"],
            ["bash", "-cx", "${x}"],
            ["bash", "-ceu", "${x}"],
            ["python3", "-c", "print('${x}')"],
            ["python3.11", "-Ic", "${x}"],
            ["perl", "-e", "${x}"],
            ["perl", "-lane", "${x}"],
            ["perl", "-E", "${x}"],
            ["ruby", "-e", "${x}"],
            ["node", "-e", "${x}"],
            ["node", "-p", "${x}"],
            ["node", "-pe", "${x}"],
            ["node", "--eval", "${x}"],
            ["node", "--print", "${x}"],
            ["deno", "eval", "${x}"],
            ["bun", "-e", "${x}"],
            ["php", "-r", "${x}"],
            ["lua5.4", "-e", "${x}"],
            ["Rscript", "-e", "${x}"],
            ["osascript", "-e", "${x}"],
            ["gawk", "-e", "${x}"],
            ["fish", "--command", "${x}"],
            ["fish", "-C", "${x}"],
            ["pwsh", "-Command", "${x}"],
            ["pwsh", "-c", "${x}"],
            ["env", "-S", "prog ${x}"],
        ],
    )
    def test_the_program_text_of_an_interpreter_holds_no_variable(self, command: list[str]) -> None:
        assert program_text_items(command) == (2,)

    @pytest.mark.parametrize(
        ("command", "position"),
        [
            (["bash", "-o", "pipefail", "-c", "${x}"], 4),
            (["bash", "-euo", "pipefail", "-c", "${x}"], 4),
            (["bash", "+e", "-c", "${x}"], 3),
            (["bash", "-c", "-x", "${x}"], 3),
            (["bash", "-c", "--", "${x}"], 3),
            (["bash", "--norc", "-c", "${x}"], 3),
            (["python", "-W", "ignore", "-c", "${x}"], 4),
            (["perl", "-e", "print 1;", "-e", "${x}"], 4),
            (["perl", "-i.bak", "-pe", "s/a/${x}/"], 3),
            (["env", "A=1", "sh", "-c", "${x}"], 4),
            (["sudo", "-u", "deploy", "bash", "-c", "${x}"], 5),
            (["timeout", "5", "sh", "-c", "${x}"], 4),
            (["busybox", "sh", "-c", "${x}"], 3),
            (["python", "-c${x}"], 1),
            (["python", "-Ic${x}"], 1),
            (["perl", "-es/a/${x}/"], 1),
            (["node", "--eval=${x}"], 1),
            (["fish", "--command=echo ${x}"], 1),
            (["env", "-Sprog ${x}"], 1),
            (["env", "--split-string=prog ${x}"], 1),
            (["env", "-vS", "prog ${x}"], 2),
        ],
    )
    def test_it_is_found_wherever_the_interpreter_takes_it(
        self, command: list[str], position: int
    ) -> None:
        assert program_text_items(command) == (position,)

    @pytest.mark.parametrize(
        "command",
        [
            [],
            ["deploy", "${environment}"],
            ["deploy", "-c", "${config}"],
            ["docker", "run", "-e", "${setting}", "image"],
            ["sh", "deploy.sh", "${environment}"],
            ["sh", "./deploy.sh", "-e", "${environment}"],
            ["bash", "-eu", "deploy.sh", "${environment}"],
            ["bash", "-euo", "pipefail", "deploy.sh", "${environment}"],
            ["bash", "-c", 'deploy "$1"', "deploy", "${environment}"],
            ["bash", "-c", 'deploy "$1"', "deploy", "-e", "${environment}"],
            ["python", "deploy.py", "-c", "${config}"],
            ["python", "-u", "deploy.py", "${config}"],
            ["python", "-m", "deploy", "-e", "${environment}"],
            ["python3.11", "-Im", "deploy", "-c", "${config}"],
            ["node", "deploy.js", "-p", "${port}"],
            ["php", "deploy.php", "-r", "${region}"],
            ["ruby", "-C", "${folder}", "deploy.rb"],
            ["env", "-C", "${folder}", "make"],
            ["env", "MODE=${mode}", "make"],
            ["pwsh", "-NoProfile", "-File", "deploy.ps1", "-Environment", "${environment}"],
            ["awk", "-v", "n=${n}", "{print n}"],
            ["sh", "-c", "echo $${x}"],
        ],
    )
    def test_arguments_may_hold_variables(self, command: list[str]) -> None:
        assert program_text_items(command) == ()

    def test_every_place_is_listed_once_in_order(self) -> None:
        command = ["${x}", "sh", "-c", "${y}", "bash", "-c", "${z}"]
        assert program_text_items(command) == (0, 3, 6)


class TestStartUpNames:
    @pytest.mark.parametrize(
        "name",
        [
            "PATH",
            "HOME",
            "IFS",
            "ENV",
            "LD_PRELOAD",
            "DYLD_INSERT_LIBRARIES",
            "BASH_ENV",
            "PYTHONPATH",
            "PYTHON_X",
            "PYTHON",
            "GIT_SSH",
            "NODE_OPTIONS",
            "PERL5LIB",
            "PERL_X",
            "RUBYOPT",
            "RUBY_X",
            "JAVA_TOOL_OPTIONS",
            "ORCHESTRATE_RUN_ID",
        ],
    )
    def test_a_name_that_changes_how_programs_start_is_known(self, name: str) -> None:
        assert changes_how_programs_start(name)

    @pytest.mark.parametrize(
        "name",
        [
            "path",
            "PATHS",
            "MY_PATH",
            "HOMEPAGE",
            "ENVIRONMENT",
            "LD",
            "BASHFUL",
            "GIT",
            "NODE",
            "NODES",
            "JAVASCRIPT",
            "ORCHESTRATE",
            "environment",
        ],
    )
    def test_other_names_are_free(self, name: str) -> None:
        assert not changes_how_programs_start(name)


class TestEnvironment:
    def test_a_declared_variable_keeps_its_name(self) -> None:
        assert declared_name("app-name.v2") == "app_name_v2"

    def test_a_variable_of_the_trigger_is_marked(self) -> None:
        assert trigger_name("pull-request") == "VAR_PULL_REQUEST"

    def test_an_output_is_named_after_stage_and_key(self) -> None:
        assert output_name("build api", "image.tag") == "OUT_BUILD_API_IMAGE_TAG"

    @given(ANYTHING)
    def test_every_name_is_a_name_of_the_environment(self, name: str) -> None:
        for found in (declared_name(name), trigger_name(name), output_name(name, name)):
            assert not set(found) - set(
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789"
            )

    @pytest.mark.parametrize(
        ("reference", "expected"),
        [
            ("stages.build.version", ("build", "version")),
            ("stages.build.api.version", ("build.api", "version")),
            ("stages.build", None),
            ("stages..version", None),
            ("stages.build.", None),
            ("version", None),
            ("stage.build.version", None),
        ],
    )
    def test_a_reference_to_an_output_names_stage_and_key(
        self, reference: str, expected: tuple[str, str] | None
    ) -> None:
        assert output_reference(reference) == expected

    def test_each_value_arrives_under_its_name(self) -> None:
        assert environment_of(
            ["app"], {"app": "api", "actor": "kim"}, {("build", "tag"): "v1"}
        ) == {"app": "api", "VAR_ACTOR": "kim", "OUT_BUILD_TAG": "v1"}

    def test_what_a_trigger_or_an_output_brings_never_replaces_what_the_file_declares(self) -> None:
        assert environment_of(
            ["VAR_X", "OUT_BUILD_TAG"],
            {"VAR_X": "declared", "OUT_BUILD_TAG": "declared", "x": "foreign"},
            {("build", "tag"): "foreign"},
        ) == {"VAR_X": "declared", "OUT_BUILD_TAG": "declared"}

    def test_nothing_makes_an_empty_environment(self) -> None:
        assert environment_of([], {}, {}) == {}
