"""What became of a request that nobody had to be asked about, kept like the answer to a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from orchestrate_tui.executor.context import ExecutorContext
from orchestrate_tui.store.commands import (
    CommandKind,
    CommandStatus,
    answer_command,
    insert_command,
    read_command,
)
from orchestrate_tui.store.connection import Connection
from orchestrate_tui.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One request; `key` "" means that it came from this account, and nothing is kept."""

    key: str
    run_id: int
    kind: CommandKind
    actor: str
    payload: Mapping[str, str] = field(default_factory=dict)

    def writer(
        self, executor: ExecutorContext, outcome: Callable[[], str]
    ) -> Callable[[Connection], None]:
        """Keeps the outcome, within the transaction that does what was asked.

        It raises StaleTransition, and so undoes it, when that was done before.
        """
        return lambda connection: self._keep(connection, executor, outcome())

    def _keep(self, connection: Connection, executor: ExecutorContext, outcome: str) -> None:
        if not self.key:
            return
        command_id = insert_command(
            connection,
            idempotency_key=self.key,
            run_id=self.run_id,
            kind=self.kind,
            payload=self.payload,
            actor=self.actor,
            at=executor.clock(),
        )
        command = read_command(connection, command_id)
        answer_command(connection, command, CommandStatus.DONE, outcome, executor.clock())
