"""An executor that is opened while the console shows its first frame already.

To load and to open one takes as long as everything that an operator sees first, and longer while
somebody else keeps the database. What it is asked for before it is there is done as soon as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from threading import Lock, Thread
from typing import Generic, TypeVar

T = TypeVar("T")
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

    def ask(self, errand: Callable[[C_co], Future[T]]) -> Future[T]:
        """Have something done by the executor, as soon as it is open; nobody is held up until then.

        It fails with what kept the executor from being opened, and may be cancelled.
        """
        asked: Future[T] = Future()

        def go_on(opened: Future[C_co]) -> None:
            if asked.cancelled():
                return
            try:
                under_way = errand(opened.result())
            except BaseException as error:  # noqa: BLE001  (whoever waits for it is told)
                _fail(asked, error)
            else:
                _join(asked, under_way)

        self.begin().add_done_callback(go_on)
        return asked

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


def _join(asked: Future[T], under_way: Future[T]) -> None:
    """Have one end as the other does, and the other be cancelled with it."""

    def give_up(asked: Future[T]) -> None:
        if asked.cancelled():
            under_way.cancel()

    def tell(under_way: Future[T]) -> None:
        if under_way.cancelled():
            asked.cancel()
        elif error := under_way.exception():
            _fail(asked, error)
        else:
            with suppress(InvalidStateError):  # nobody waits for it any more
                asked.set_result(under_way.result())

    asked.add_done_callback(give_up)
    under_way.add_done_callback(tell)


def _fail(asked: Future[T], error: BaseException) -> None:
    with suppress(InvalidStateError):  # nobody waits for it any more
        asked.set_exception(error)


def opened(control: C) -> Opening[C]:
    """One that is open already."""
    opening = Opening(lambda: control)
    opening.control()
    return opening
