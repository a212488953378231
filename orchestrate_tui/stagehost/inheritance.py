"""What programs leave to the stage host, their reaper, and which program it was."""

from __future__ import annotations

import math
from collections.abc import Mapping

from orchestrate_tui.stagehost import trees
from orchestrate_tui.stagehost.boot import boot_clock
from orchestrate_tui.stagehost.program import Program

_LOOKS = 20
_LOOKING_S = 0.02
"""For so long it is looked again, unless it is known how much time there is."""


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

    def find(
        self, children: frozenset[int], program: Program, until_s: float | None = None
    ) -> bool:
        """Find out which of the children the program has left; whether it has left any.

        What forks and ends all the time is gone when it is looked at: so whatever is new then is
        looked at, until nothing is. Nobody is after `until_s`, on the clock of the boot; None is
        for a first look in any case, and then for others only while they take no time: where many
        multiply, somebody else waits for the host meanwhile.
        """
        looked, has_found = frozenset[int](), False
        again_s = boot_clock() + _LOOKING_S if until_s is None else until_s
        until_s = math.inf if until_s is None else until_s
        for look in range(_LOOKS):
            if look and boot_clock() > again_s:
                break
            unknown = children - self.not_of(program) - looked
            if not unknown:
                return has_found
            looked |= unknown
            has_found = self._find(unknown, program, until_s) or has_found
            children = trees.children()
        return has_found or self._is_last(program)

    def _find(self, unknown: frozenset[int], program: Program, until_s: float) -> bool:
        found = [pid for pid in unknown if boot_clock() < until_s and self.is_of(program, pid)]
        for pid in found:
            if not program.tree.has(pid):
                program.tree.orphans.add(pid)
                self._orphans[pid] = program.tree.orphans
        if self._has_services:
            self._strangers |= {pid for pid in unknown if not self._is_somebodys(pid)}
        return bool(found)

    def _is_last(self, program: Program) -> bool:
        """Whether whatever is new all the time can be of no other program that goes on."""
        others = (one for one in self._programs.values() if one is not program)
        return not self._has_services and all(one.is_being_ended for one in others)

    def is_of(self, program: Program, pid: int) -> bool:
        """Whether a process that was left to this one, and runs, is the program's.

        Of what hides where it comes from it is known only that a program of this host started it.
        It is taken for this program's when it can be of no other that goes on: there is none, all
        are being ended, or began after it. Where a program may leave services, it is nobody's.
        """
        if not trees.runs(pid):  # where many end, most have, and wait for this to reap them
            return False
        if self._shows(program, pid):
            return True
        others = [one for one in self._programs.values() if one is not program]
        for one in others:
            if self._shows(one, pid):
                self._owners[pid] = one
                return False
        if self._has_services:
            return False
        latest_s = trees.began_before_s(pid) if others else 0.0
        return all(one.is_being_ended or latest_s <= one.started_s for one in others)

    def _shows(self, program: Program, pid: int) -> bool:
        """Whether something about what was left to this process shows that it is the program's.

        Who is in the session of its head is: nobody else can have come there.
        """
        head = program.tree.head
        is_its_number = self.heads.get(head, program) is program
        return program.tree.has(pid) or (is_its_number and trees.runs(pid, head))

    def _is_somebodys(self, pid: int) -> bool:
        return any(self._shows(one, pid) for one in self._programs.values())
