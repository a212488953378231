"""What an operator demands of a rollback."""

from __future__ import annotations

import json
from collections.abc import Mapping

from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackDemand:
    """A manual rollback as it was asked for, or as it is to be rehearsed.

    `from_stage` "" is nothing, but in a rehearsal each stage that ran by itself. `to_stage` ""
    means the failed stage itself. `plan_hash` "" means that no plan was shown
    before, so any plan will do. `release` is the release to return to, as find_release knows it,
    "" for the one before; `definition` the hash of the one whose undos are used, "" for that of
    the run, or for a repetition those of the first. `components` narrows it to these, () means
    all; without `cascade` only the target is undone.
    """

    from_stage: str = ""
    to_stage: str = ""
    reason: str = ""
    plan_hash: str = ""
    accept_irreversible: bool = False
    retry: bool = False
    force: bool = False
    waits: bool = False
    release: str = ""
    definition: str = ""
    components: tuple[str, ...] = ()
    cascade: bool = True

    def to_payload(self) -> dict[str, str]:
        """The demand as a command to another process carries it."""
        return {
            "from": self.from_stage,
            "to": self.to_stage,
            "reason": self.reason,
            "plan_hash": self.plan_hash,
            "accept_irreversible": str(self.accept_irreversible),
            "retry": str(self.retry),
            "force": str(self.force),
            "waits": str(self.waits),
            "release": self.release,
            "definition": self.definition,
            "components": json.dumps(self.components),
            "cascade": str(self.cascade),
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, str]) -> RollbackDemand:
        """The demand that `to_payload` wrote."""
        return cls(
            from_stage=payload["from"],
            to_stage=payload["to"],
            reason=payload["reason"],
            plan_hash=payload["plan_hash"],
            accept_irreversible=payload["accept_irreversible"] == str(True),
            retry=payload["retry"] == str(True),
            force=payload.get("force") == str(True),
            waits=payload["waits"] == str(True),
            release=payload.get("release", ""),
            definition=payload.get("definition", ""),
            components=tuple(json.loads(payload.get("components", "[]"))),
            cascade=payload.get("cascade") != str(False),
        )


EVERYTHING = RollbackDemand()
"""Each stage that ran, undone by itself; only to be rehearsed."""
