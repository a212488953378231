"""What programs leave to the stage host, their reaper, and which program it was."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrate_tui.stagehost import trees
from orchestrate_tui.stagehost.program import Program


class Inheritance:
    """Knows whose the children of this process are, of those `programs` that are not over.

    `heads` are those that it has started itself, each with its program.
    """

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self._programs = programs
        self.heads: dict[int, Program] = {}
        self._strangers: set[int] = set()
        self._orphans: dict[int, set[int]] = {}
        self._owners: dict[int, Program] = {}
        self._has_services = False

    def begin(self, program: Program) -> None:
        """Know the head of a program that was started."""
        self.heads[program.tree.head] = program
        self._has_services = self._has_services or program.tree.keeps_services
        if program.sink is not None:
            self._strangers.add(program.sink.pid)

    def end(self, pid: int) -> Program | None:
        """Forget a child that was reaped; the program whose head it was, if it was one."""
        self._strangers.discard(pid)
        self._owners.pop(pid, None)
        self._orphans.pop(pid, set()).discard(pid)
        return self.heads.pop(pid, None)

    def is_all_doomed(self) -> bool:
        """Whether all that is left to this process is to be killed, whoever's it is."""
        return not self._has_services and all(one.is_doomed for one in self._programs.values())

    def known(self) -> set[int]:
        """The children that no program has left."""
        return self.heads.keys() | self._strangers

    def not_of(self, program: Program) -> set[int]:
        """The children that are known not to have been left by the program."""
        others = {
            pid
            for pid, owner in self._owners.items()
            if owner is not program and owner.key in self._programs
        }
        return self.known() | others

    def find(self, children: frozenset[int], program: Program) -> bool:
        """Find out which of the children the program has left; whether it has left any."""
        unknown = children - self.not_of(program)
        found = [pid for pid in unknown if self.is_of(program, pid)]
        for pid in found:
            if not program.tree.has(pid):
                program.tree.orphans.add(pid)
                self._orphans[pid] = program.tree.orphans
        if self._has_services:
            self._strangers |= {pid for pid in unknown if not self._is_somebodys(pid)}
        return bool(found)

    def is_of(self, program: Program, pid: int) -> bool:
        """Whether a process that was left to this one, and runs, is the program's.

        Of what hides where it comes from it is known only that a program of this host started it.
        It is taken for this program's when that is the only one, or all are being ended. Where a
        program may leave services, it is nobody's.
        """
        if program.tree.has(pid):
            return True
        others = [one for one in self._programs.values() if one is not program]
        for one in others:
            if one.tree.has(pid):
                self._owners[pid] = one
                return False
        is_last = all(one.is_being_ended for one in others)
        return is_last and not self._has_services and trees.runs(pid)

    def _is_somebodys(self, pid: int) -> bool:
        return any(one.tree.has(pid) for one in self._programs.values())
