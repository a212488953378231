"""Loads what draws the console without what no first picture needs.

Most of the time until that picture goes by while Textual is loaded, and a fifth of this is for
nothing. What is spared here is loaded when it is asked for; without this module the console would
be the same, only later there.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from orchestrate_tui.values import methods_written_later

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FUNCTIONS = {
    "difflib": ("get_close_matches",),
    "mimetypes": ("guess_type",),
    "platformdirs": ("user_downloads_path",),
    "rich.table": ("Table",),
    "rich.tree": ("Tree",),
}
"""What Textual and Rich take from modules of which no first picture calls anything."""

_PALETTE = ("CommandListItem", "CommandPalette", "DiscoveryHit", "Hit", "Hits", "SimpleProvider")


@contextmanager
def sparing() -> Iterator[None]:
    """Load the console within this. What is loaded already stays as it is.

    - asyncio does without OpenSSL, as it does where Python has none: nobody here opens a connection
      with its TLS. Agents that speak HTTPS load OpenSSL by themselves.
    - Some modules are loaded when something of them is called; see `_FUNCTIONS`.
    - Textual's palette of commands, and all that can be typed into and chosen from there, comes
      with the dialogs. Its ThemeProvider is of no use then: our palette offers the themes itself.
    - For each class of widgets it sorts the names of all that these have; see `_computations`.
    - Of its dataclasses few have their methods called.
    """
    with _standing_in("ssl", None):
        import_module("asyncio")
    with ExitStack() as stack:
        stack.enter_context(methods_written_later())
        for name, functions in _FUNCTIONS.items():
            stack.enter_context(_standing_in(name, _stand_in(name, *functions)))
        palette = _stand_in("textual.command", *_PALETTE, base="Provider")
        stack.enter_context(_standing_in(palette.__name__, palette))
        stack.enter_context(_finding_computations_at_once())
        yield


@contextmanager
def _standing_in(name: str, module: ModuleType | None) -> Iterator[None]:
    """Give this for a module to whoever asks for it meanwhile; None is one that is not there."""
    if name in sys.modules:
        yield
        return
    loaded: dict[str, Any] = sys.modules
    loaded[name] = module
    try:
        yield
    finally:
        if loaded[name] is module:
            del loaded[name]


def _stand_in(name: str, *functions: str, base: str = "") -> ModuleType:
    """A module whose functions load the real one when they are called; `base` is a class of it.

    Who asks it for anything else gets that of the real one, too.
    """
    module = ModuleType(name)

    def real(attribute: str) -> Any:
        if attribute.startswith("__"):  # who imports looks whether it is a package
            raise AttributeError(attribute)
        if sys.modules.get(name) is module:
            del sys.modules[name]
        return getattr(import_module(name), attribute)

    def later(function: str) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            return real(function)(*given, **named)

        return call

    vars(module).update({function: later(function) for function in functions})
    vars(module)["__getattr__"] = real
    if base:
        vars(module)[base] = type(base, (), {})
    return module


@contextmanager
def _finding_computations_at_once() -> Iterator[None]:
    """Have Textual look among the names of a new class for those that it has use for, and no more.

    It has all names sorted, those of every base, for each class of widgets anew.
    """
    names = vars(import_module("textual.dom"))
    names["dir"] = lambda cls: [name for base in cls.__mro__ for name in _computations(base)]
    try:
        yield
    finally:
        del names["dir"]


@cache
def _computations(cls: type) -> tuple[str, ...]:
    return tuple(name for name in vars(cls) if name.startswith(("compute_", "_compute_")))
