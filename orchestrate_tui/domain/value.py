"""Values that are made by the ten thousand."""

from __future__ import annotations

from typing import TypeVar, dataclass_transform

from orchestrate_tui.values import dataclass

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def value(kind: type[T]) -> type[T]:
    """A frozen, slotted, keyword-only dataclass, which the type checker alone keeps frozen.

    To be kept so at run time as well makes a value take three times as long to make: each of its
    fields is then set by a call. That counts where a run has ten thousand stages.
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(kind)
