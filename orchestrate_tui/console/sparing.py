"""Loads what draws the console without what no first picture needs.

Most of the time until that picture goes by while Textual is loaded, and a fifth of this is for
nothing. What is spared here is loaded when it is asked for; without this module the console would
be the same, only later there.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from orchestrate_tui.values import methods_written_later

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def sparing() -> Iterator[None]:
    """Load the console within this. What is loaded already stays as it is.

    - asyncio does without OpenSSL, as it does where Python has none: nobody here opens a connection
      with its TLS. Agents that speak HTTPS load OpenSSL by themselves.
    - Textual asks for the folder of downloads only to save a picture of the screen there.
    - For one name of a type Textual loads a tree of folders, a list to select from and more.
    - Few of its dataclasses have each of their methods called.
    """
    with _standing_in("ssl", None):
        import_module("asyncio")
    with methods_written_later(), _standing_in("platformdirs", _folders()):
        with _standing_in("textual.types", import_module("textual._types")):
            import_module("textual.app")
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
        del loaded[name]


def _folders() -> ModuleType:
    def user_downloads_path() -> Path:
        found: Path = import_module("platformdirs").user_downloads_path()
        return found

    module = ModuleType("platformdirs")
    vars(module)["user_downloads_path"] = user_downloads_path
    return module
