from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from dataclasses import dataclass as dataclass_of_python
from typing import Any

import pytest

from orchestrate_tui.values import dataclass, methods_written_later


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something is."""

    name: str
    tags: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list, compare=False, repr=False)


@dataclass(slots=True)
class Counter:
    """What is counted."""

    start: int
    count: int = 0
    twice: int = field(init=False)
    unit: str = field(init=False, default="m", compare=False)
    seen: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.count += self.start
        self.twice = 2 * self.start


@dataclass(frozen=True)
class Pair:
    """A value without slots."""

    left: int
    right: int = 2


@dataclass(frozen=True)
class Triple(Pair):
    """One that goes on from another."""

    last: int = 3

    def __repr__(self) -> str:
        return "three"


def made_by(decorator: Callable[..., Any]) -> Any:
    @decorator(frozen=True, slots=True, kw_only=True)
    class Thing:
        """The same by either."""

        first: int
        second: str = "two"
        third: tuple[int, ...] = ()

    return Thing


def test_a_value_has_what_it_was_given_and_else_its_defaults() -> None:
    place = Place(name="here")
    assert (place.name, place.tags, place.notes) == ("here", (), [])
    assert Place(name="here").notes is not place.notes


def test_values_are_equal_when_all_that_is_compared_is() -> None:
    assert Place(name="here", notes=["a"]) == Place(name="here")
    assert Place(name="here") != Place(name="there")
    assert Pair(1) != Triple(1)
    assert len({Place(name="here"), Place(name="here"), Place(name="there")}) == 2


def test_a_frozen_value_stays_as_it_is() -> None:
    place = Place(name="here")
    with pytest.raises(FrozenInstanceError):
        place.name = "there"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del place.name
    assert place.name == "here"


def test_a_value_that_is_not_frozen_changes_and_has_no_hash() -> None:
    counter = Counter(3)
    counter.count += 1
    assert counter == Counter(3, 1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)


def test_what_is_not_given_is_what_the_class_says_or_nothing_yet() -> None:
    counter = Counter(3)
    assert (counter.twice, counter.unit, counter.seen) == (6, "m", [])
    assert counter.seen is not Counter(3).seen


def test_a_value_may_have_a_hash_although_only_the_type_checker_keeps_it_frozen() -> None:
    @dataclass(slots=True, kw_only=True, unsafe_hash=True)
    class Kept:
        """What nobody changes."""

        name: str

    assert len({Kept(name="a"), Kept(name="a"), Kept(name="b")}) == 2


def test_a_class_may_go_on_from_another_and_keep_its_own_methods() -> None:
    assert Triple(1, last=5) == Triple(1, 2, 5)
    assert repr(Triple(1)) == "three"


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_a_value_can_be_copied_and_pickled(again: Callable[[Any], Any]) -> None:
    assert again(Place(name="here", notes=["a"])).notes == ["a"]
    assert again(Pair(1)) == Pair(1)


def test_what_knows_dataclasses_knows_these() -> None:
    place = Place(name="here")
    assert replace(place, tags=("a",)) == Place(name="here", tags=("a",))
    assert [one.name for one in fields(place)] == ["name", "tags", "notes"]
    assert asdict(Pair(1)) == {"left": 1, "right": 2}
    assert Pair.__match_args__ == ("left", "right")
    assert Place.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_they_read_and_fail_as_those_of_the_standard_library() -> None:
    ours, theirs = made_by(dataclass), made_by(dataclasses.dataclass)
    assert repr(ours(first=1, third=(2,))) == repr(theirs(first=1, third=(2,)))
    for wrong in ({}, {"first": 1, "fourth": 4}):
        said = []
        for cls in (ours, theirs):
            with pytest.raises(TypeError) as error:
                cls(**wrong)
            said.append(str(error.value))
        assert said[0] == said[1]
    with pytest.raises(TypeError, match="positional"):
        ours(1)


def test_a_method_that_nobody_needed_is_not_written() -> None:
    thing = made_by(dataclass)
    written = [thing.__dict__[name].__qualname__ for name in ("__init__", "__eq__")]
    thing(first=1)
    assert written == ["_later.<locals>.method"] * 2
    assert thing.__init__.__qualname__.endswith("Thing.__init__")
    assert thing.__eq__.__qualname__ == "_later.<locals>.method"


def test_the_dataclasses_of_a_library_are_the_same_with_methods_written_later() -> None:
    with methods_written_later():

        @dataclasses.dataclass
        class Later:
            left: int
            right: int = 2

        @dataclasses.dataclass(order=True)
        class Ordered:
            left: int

    assert Later(1) == Later(1, 2)
    assert Later.__hash__ is None
    assert Ordered(1) < Ordered(2)
    assert dataclasses.dataclass is dataclass_of_python


def test_a_library_that_cannot_be_loaded_leaves_dataclasses_as_they_were() -> None:
    with pytest.raises(ImportError), methods_written_later():
        raise ImportError
    assert dataclasses.dataclass is dataclass_of_python
