"""Tells whoever listens what was committed, without ever waiting for them."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from orchestrate_tui.domain.value import value

DEFAULT_CAPACITY = 4096


@value
class Change:
    """Something of a run changed and is committed; `stage_name` None means the run itself."""

    run_id: int
    stage_name: str | None = None
    rollback_id: int | None = None


class Subscription:
    """A bounded buffer of changes, the last one per stage; safe between threads.

    When the listener is so slow that the buffer is full, the buffer is dropped and `stale`
    says that everything has to be read again.
    """

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        self._changes: dict[Change, None] = {}
        self._stale = False
        self._warnings: list[str] = []
        self._lock = Lock()

    def put(self, changes: Iterable[Change]) -> None:
        """Add changes; those that are waiting already are not added again."""
        with self._lock:
            self._changes.update(dict.fromkeys(changes))
            if len(self._changes) > self._capacity:
                self._changes.clear()
                self._stale = True

    def drain(self) -> tuple[Change, ...]:
        """Take what is waiting, oldest first."""
        with self._lock:
            changes = tuple(self._changes)
            self._changes.clear()
        return changes

    def warn(self, sentence: str) -> None:
        """Add a warning that no change in the store tells."""
        with self._lock:
            self._warnings.append(sentence)

    def take_warnings(self) -> tuple[str, ...]:
        """The warnings since the last call, oldest first."""
        with self._lock:
            warnings = tuple(self._warnings)
            self._warnings.clear()
        return warnings

    def take_stale(self) -> bool:
        """Whether changes were dropped since the last call."""
        with self._lock:
            stale, self._stale = self._stale, False
        return stale


class Hub:
    """Everybody who wants to know."""

    def __init__(self) -> None:
        self._subscriptions: tuple[Subscription, ...] = ()
        self._lock = Lock()

    def subscribe(self, capacity: int = DEFAULT_CAPACITY) -> Subscription:
        """Listen to every change from now on."""
        subscription = Subscription(capacity)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Listen no longer."""
        with self._lock:
            left = (one for one in self._subscriptions if one is not subscription)
            self._subscriptions = tuple(left)

    def publish(self, changes: Iterable[Change]) -> None:
        """Tell everybody; call it only with what is committed."""
        if self._subscriptions:
            told = tuple(changes)
            for subscription in self._subscriptions:
                subscription.put(told)

    def warn(self, sentence: str) -> None:
        """Tell everybody what the executor has to say of itself."""
        for subscription in self._subscriptions:
            subscription.warn(sentence)
