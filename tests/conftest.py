"""How long a test may take, and options and reports of the attacks in tests/torture.

docs/torture.md says how to write an attack.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Generator
from typing import Any, NoReturn

import hypothesis
import pytest

hypothesis.settings.register_profile("patient", deadline=None)  # a machine may be busy
hypothesis.settings.load_profile("patient")

STEADY_SEED = 1
LONG_TIMEOUT_S = 3 * 3600
PATIENCE = 0.75
"""This part of its time a test may wait; the rest is left for its end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("torture", "attacks on what the product promises")
    group.addoption(
        "--seed",
        type=int,
        default=None,
        help=f"what chance begins with in attacks: {STEADY_SEED}, or with --long a new one",
    )
    group.addoption("--long", action="store_true", help="attack until the promised figures")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed before worker processes take over the options, and hear Ctrl-C.

    What is started in the background may have been told to ignore it, and tests its children.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGQUIT) is signal.SIG_IGN:
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    if config.option.seed is None:
        config.option.seed = secrets.randbelow(10**6) if config.option.long else STEADY_SEED


def pytest_report_header(config: pytest.Config) -> str:
    return f"torture: {_how_to_repeat(config)}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.long:
        for item in filter(_is_attack, items):
            mark = pytest.mark.timeout(LONG_TIMEOUT_S)
            item.add_marker(
                mark, append=False
            )  # before one of its own, which is for the short form


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that waits in vain, and only it: pytest-timeout would end its whole process."""
    patience_s = PATIENCE * _timeout_s(item)

    def lose_patience(*_: object) -> NoReturn:
        pytest.fail(f"waited in vain for {patience_s:.0f} s, where the traceback ends")

    before = signal.signal(signal.SIGALRM, lose_patience)
    signal.setitimer(signal.ITIMER_REAL, patience_s)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _timeout_s(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    return float(mark.args[0] if mark else item.config.getini("timeout"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    report = yield
    if report.failed and _is_attack(item):
        again = f"pytest '{item.nodeid}' {_how_to_repeat(item.config)}"
        report.sections.append(("repeat this attack", again))
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Show what the attacks measured."""
    told = [
        f"{report.nodeid.removeprefix('tests/torture/')}: {name} {value}"
        for report in terminalreporter.stats.get("passed", ())
        for name, value in report.user_properties
    ]
    if told:
        terminalreporter.section("figures of the attacks")
        terminalreporter.write_line("\n".join(told))


def _is_attack(item: pytest.Item) -> bool:
    return any(item.iter_markers("attack")) or any(item.iter_markers("control"))


def _how_to_repeat(config: pytest.Config) -> str:
    return f"--seed {config.option.seed}{' --long' if config.option.long else ''}"
