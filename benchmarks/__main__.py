"""Measure the workloads one after the other, and write the report.

python -m benchmarks [--rounds N] [--only W1,W9] [--peers dbos,huey|none]
python -m benchmarks --short      a quick look that fails on a ratio, never on a time
python -m benchmarks --report     write the report anew from what was measured before
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks import results
from benchmarks.figures import Figure, Limit, Measurement, Options
from benchmarks.machine import this_machine
from benchmarks.peers import PEERS
from benchmarks.report import page
from benchmarks.turns import SubjectFailed
from benchmarks.workloads import MODULES, workload

SHORT_ROUNDS = 3
TRIES = 3


def main() -> int:
    """Returns the exit code: 1 when the short form missed a limit."""
    arguments = _arguments()
    if arguments.report:
        return _report()
    keys = [key for key in MODULES if not arguments.only or key in arguments.only]
    if arguments.short:
        return _short(keys, arguments.rounds or SHORT_ROUNDS)
    for key in keys:
        _measure(key, arguments.rounds or 5, arguments.peers)
    return _report()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="samples of each figure (5)")
    parser.add_argument(
        "--only", type=_chosen(MODULES), default=(), metavar="W1,W2", help="only these workloads"
    )
    parser.add_argument(
        "--peers",
        type=_chosen(PEERS),
        default=tuple(PEERS),
        metavar="dbos,huey",
        help="the other engines to measure beside, or none (all)",
    )
    parser.add_argument("--short", action="store_true", help="fail where a ratio is out of bounds")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    return parser.parse_args()


def _chosen(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        names = () if text == "none" else tuple(text.split(","))
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]}: there are {', '.join(known)}")
        return names

    return parse


def _measure(key: str, rounds: int, peers: tuple[str, ...]) -> None:
    """Measure one workload and keep what was found, whatever becomes of the next."""
    module = workload(key)
    print(f"{key}: {module.TITLE}", flush=True)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        scratch = Path(folder)
        machine = this_machine(scratch)
        found = module.measure(Options(rounds=rounds, short=False, peers=peers, scratch=scratch))
    results.write(results.merged(results.read(), key, module.TITLE, found, machine))
    _tell(found, module.TARGETS)


def _short(keys: Sequence[str], rounds: int) -> int:
    missed = [key for key in keys if workload(key).SHORT and not _is_kept(key, rounds)]
    print(f"Out of bounds: {', '.join(missed)}" if missed else "Everything is within its bounds")
    return int(bool(missed))


def _is_kept(key: str, rounds: int) -> bool:
    """Whether the limits of the short form are kept; what disturbed a try is given others."""
    module = workload(key)
    print(f"{key}: {module.TITLE}", flush=True)
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            options = Options(rounds=rounds, short=True, peers=(), scratch=Path(folder))
            try:
                found = module.measure(options)
            except SubjectFailed as failure:
                print(f"  {failure}", flush=True)
                continue
        _tell(found, module.SHORT)
        if all(limit.met(found) for limit in module.SHORT):
            return True
    return False


def _tell(found: Sequence[Measurement], limits: Sequence[Limit]) -> None:
    for one in found:
        if isinstance(one, Figure):
            cost = f"{one.median:.4g} {one.unit}" if one.samples else one.note
            memory = f", {one.peak_memory_mb:.0f} MB" if one.peak_memory_mb is not None else ""
            print(f"  {one.title}, {one.subject}: {cost}{memory}")
        else:
            print(f"  {one.title}, {one.subject}: exponent {one.exponent:.2f}")
    for limit in limits:
        word = {True: "kept", False: "MISSED", None: "not measured"}[limit.met(found)]
        print(f"  {limit.text}: {limit.measured(found)} {word}", flush=True)


def _report() -> int:
    from benchmarks.plots import draw  # noqa: PLC0415  (the short form draws nothing)

    found = results.read()
    (results.HERE / "README.md").write_text(page(found))
    draw(found, results.HERE / "plots")
    return 0


if __name__ == "__main__":
    sys.exit(main())
