"""Dataclasses whose methods are written when they are first needed.

The standard library writes and compiles every method of a dataclass while its module is loaded.
That takes longer than all else that is loaded here, and most of it is for nothing: a process makes
values of few of its classes, and compares fewer. Here each method stands in for itself until it is
called. What is offered is `dataclasses.dataclass` as far as it is used, and it is checked as that;
`methods_written_later` offers it to libraries too.
"""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from dataclasses import MISSING, Field, FrozenInstanceError
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from dataclasses import dataclass
else:

    def dataclass(
        cls: type | None = None,
        /,
        *,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        eq: bool = True,
        unsafe_hash: bool = False,
    ) -> Any:
        """As `dataclasses.dataclass`."""
        given = {"slots": slots, "kw_only": kw_only}

        def made(cls: type) -> type:
            # the standard library lets nothing but a frozen class go on from a frozen one
            is_derived = any(map(_is_frozen, cls.__mro__[1:]))
            bare = _written_at_once(init=False, repr=False, eq=False, frozen=is_derived, **given)
            plain = bare(cls)
            plain.__dataclass_params__.frozen = frozen
            return _completed(plain, eq=eq, slots=slots, has_hash=unsafe_hash or frozen)

        return made if cls is None else made(cls)


__all__ = ["dataclass", "methods_written_later"]

_written_at_once: Any = dataclasses.dataclass
_KNOWN = frozenset({"frozen", "slots", "kw_only", "eq", "unsafe_hash"})

_MADE_ANEW = object()
"""Stands for a value that each one gets its own of."""

_Written = tuple[str, list[str]]
"""The parameters and the lines of a method."""

_Names = dict[str, Any]
"""What the lines of a method refer to; a method may add to it."""


@contextmanager
def methods_written_later() -> Iterator[None]:
    """Have the dataclasses of whatever is loaded meanwhile write their methods later, too.

    One that is asked for something that is not known here is made by the standard library.
    """

    def offered(cls: type | None = None, /, **settings: Any) -> Any:
        return (dataclass if settings.keys() <= _KNOWN else _written_at_once)(cls, **settings)

    dataclasses.dataclass = offered
    try:
        yield
    finally:
        dataclasses.dataclass = _written_at_once


def _is_frozen(cls: Any) -> bool:
    return hasattr(cls, "__dataclass_params__") and bool(cls.__dataclass_params__.frozen)


def _completed(cls: Any, *, eq: bool, slots: bool, has_hash: bool) -> Any:
    """The class with all methods that it does not have by itself."""
    is_frozen = _is_frozen(cls)
    methods = {
        "__init__": _later(cls, "__init__", _init),
        "__repr__": _later(cls, "__repr__", _repr),
    }
    if eq:
        methods["__eq__"] = _later(cls, "__eq__", _eq)
        methods["__hash__"] = _later(cls, "__hash__", _hash) if has_hash else None
    if is_frozen and slots:
        methods |= {"__getstate__": _state, "__setstate__": _take_state}
    if is_frozen:
        cls.__setattr__, cls.__delattr__ = _refuse_to_set, _refuse_to_delete
    own = vars(cls)
    for name, method in methods.items():
        if own.get(name) is None:
            setattr(cls, name, method)
    return cls


def _later(cls: Any, name: str, write: Callable[[Any, _Names], _Written]) -> Any:
    """A method that writes itself when it is first called."""

    def method(self: Any, /, *given: Any, **named: Any) -> Any:
        space: _Names = {}
        parameters, lines = write(cls, space)
        exec("\n ".join([f"def {name}({parameters}):", *lines]), space)  # noqa: S102  (ours alone)
        space[name].__qualname__ = f"{cls.__qualname__}.{name}"
        setattr(cls, name, recursive_repr()(space[name]) if write is _repr else space[name])
        return getattr(cls, name)(self, *given, **named)

    return method


def _init(cls: Any, space: _Names) -> _Written:
    fields = dataclasses.fields(cls)
    space |= {"made_anew": _MADE_ANEW, "set_attribute": object.__setattr__}
    given = [field for field in fields if field.init]
    plain = [_parameter(field, space) for field in given if not field.kw_only]
    named = [_parameter(field, space) for field in given if field.kw_only]
    lines = [*filter(None, (_assignment(cls, field, space) for field in fields))]
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    return ", ".join(["self", *plain, *(["*"] if named else []), *named]), lines or ["pass"]


def _parameter(field: Field[Any], space: _Names) -> str:
    if field.default_factory is not MISSING:
        return f"{field.name}=made_anew"
    if field.default is MISSING:
        return field.name
    space[f"default_{field.name}"] = field.default
    return f"{field.name}=default_{field.name}"


def _assignment(cls: Any, field: Field[Any], space: _Names) -> str:
    """A slot is filled by itself, which takes half the time of naming it; "" fills nothing."""
    name, value = field.name, _beginning(field, space)
    if not value:
        return ""
    if not _is_frozen(cls):
        return f"self.{name} = {value}"
    if fill := getattr(getattr(cls, name, None), "__set__", None):
        space[f"set_{name}"] = fill
        return f"set_{name}(self, {value})"
    return f"set_attribute(self, {name!r}, {value})"


def _beginning(field: Field[Any], space: _Names) -> str:
    """What a field is at first; "" where something else will say."""
    name = field.name
    if field.default_factory is not MISSING:
        space[f"make_{name}"] = field.default_factory
        return (
            f"make_{name}() if {name} is made_anew else {name}" if field.init else f"make_{name}()"
        )
    if field.init:
        return name
    space[f"default_{name}"] = field.default
    return "" if field.default is MISSING else f"default_{name}"


def _repr(cls: Any, _: _Names) -> _Written:
    told = ", ".join(
        f"{one.name}={{self.{one.name}!r}}" for one in dataclasses.fields(cls) if one.repr
    )
    return "self", [f"return f'{{self.__class__.__qualname__}}({told})'"]


def _eq(cls: Any, _: _Names) -> _Written:
    own, others = (_compared(cls, name) for name in ("self", "other"))
    same = "other.__class__ is self.__class__"
    return "self, other", [f"return {own} == {others} if {same} else NotImplemented"]


def _hash(cls: Any, _: _Names) -> _Written:
    return "self", [f"return hash({_compared(cls, 'self')})"]


def _compared(cls: Any, name: str) -> str:
    values: Iterable[str] = (
        f"{name}.{one.name}," for one in dataclasses.fields(cls) if one.compare
    )
    return f"({''.join(values)})"


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _take_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


def _refuse_to_set(_: object, name: str, __: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_: object, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
