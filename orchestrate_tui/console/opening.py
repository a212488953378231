"""An executor that is opened while the console shows its first frame already.

To load and to open one takes as long as everything that an operator sees first. Whoever asks it
for something before it is there waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Generic, TypeVar

C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)
"""What is opened: a `WholeControl`."""


class Opening(Generic[C_co]):
    """Opens an executor once, in a thread of its own, and holds it.

    `trouble` says what keeps it from being opened, "" for nothing. `give_up` is called when the
    console is left before it is open: what others hold up is not waited for any more.
    """

    def __init__(
        self,
        open_it: Callable[[], C_co],
        *,
        trouble: Callable[[], str] = lambda: "",
        give_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._open_it = open_it
        self._give_up = give_up
        self.trouble = trouble
        self._opened: Future[C_co] = Future()
        self._lock = Lock()
        self._is_begun = False

    @property
    def is_open(self) -> bool:
        """Whether nobody has to wait for it, because it is there or cannot be opened."""
        return self._opened.done()

    def begin(self) -> Future[C_co]:
        """Begin to open it, if nobody has; it fails with what kept it from being opened."""
        with self._lock:
            is_first, self._is_begun = not self._is_begun, True
        if is_first:
            Thread(target=self._open, name="opening").start()
        return self._opened

    def control(self) -> C_co:
        """The executor, as soon as it is open. Raises what kept it from being opened."""
        return self.begin().result()

    def outcome(self) -> C_co | None:
        """The executor, if anybody had it opened. Raises what kept it from being opened."""
        self.settle()
        return self.control() if self._is_begun else None

    def settle(self) -> None:
        """Wait until it is open or cannot be opened, if anybody had it opened."""
        if self._is_begun and not self.is_open:
            self._give_up()
            self._opened.exception()

    def _open(self) -> None:
        try:
            self._opened.set_result(self._open_it())
        except BaseException as error:  # noqa: BLE001  (whoever asks for it is told)
            self._opened.set_exception(error)


def opened(control: C) -> Opening[C]:
    """One that is open already."""
    opening = Opening(lambda: control)
    opening.control()
    return opening
