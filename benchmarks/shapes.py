"""The graphs that all engines run, as plain data: peers load this without our package."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which stage waits for which, in topological order, and how many run at once."""

    name: str
    dependencies: dict[str, tuple[str, ...]]
    at_once: int
    command: tuple[str, ...] = ()
    """What each stage runs; () for nothing at all."""

    @property
    def edges(self) -> int:
        return sum(map(len, self.dependencies.values()))

    @property
    def waves(self) -> list[list[str]]:
        """The stages by the length of the longest way to them."""
        depth: dict[str, int] = {}
        for name, parents in self.dependencies.items():
            depth[name] = 1 + max((depth[parent] for parent in parents), default=-1)
        found: list[list[str]] = [[] for _ in range(1 + max(depth.values()))]
        for name, level in depth.items():
            found[level].append(name)
        return found


def chain(length: int) -> Shape:
    """Each stage waits for the one before it."""
    names = [f"s{i}" for i in range(length)]
    parents: list[tuple[str, ...]] = [(), *((name,) for name in names[:-1])]
    return Shape(name="chain", dependencies=dict(zip(names, parents, strict=True)), at_once=8)


def fan_out(width: int) -> Shape:
    """One stage, then many at once, then one that waits for them all."""
    middle = [f"s{i}" for i in range(width)]
    between: dict[str, tuple[str, ...]] = dict.fromkeys(middle, ("first",))
    dependencies = {"first": (), **between, "last": tuple(middle)}
    return Shape(name="fan_out", dependencies=dependencies, at_once=width)


def layers(depth: int, width: int) -> Shape:
    """Layers in which each stage has up to three parents in the layer before, by seed 7."""
    choose = random.Random(7)
    dependencies: dict[str, tuple[str, ...]] = {}
    for layer in range(depth):
        for place in range(width):
            parents = {f"{layer - 1}-{choose.randrange(width)}" for _ in range(3)} if layer else ()
            dependencies[f"{layer}-{place}"] = tuple(sorted(parents))
    return Shape(name="layers", dependencies=dependencies, at_once=depth * width)


def processes(count: int, at_once: int) -> Shape:
    """Stages that wait for nothing and run a program that does nothing."""
    dependencies: dict[str, tuple[str, ...]] = {f"s{i}": () for i in range(count)}
    command = ("/bin/true",)
    return Shape(name="processes", dependencies=dependencies, at_once=at_once, command=command)


SHAPES: dict[str, Callable[..., Shape]] = {
    "chain": chain,
    "fan_out": fan_out,
    "layers": layers,
    "processes": processes,
}


def shape(words: list[str]) -> Shape:
    """The graph that words of a command line name, such as `layers 20 50`."""
    name, *sizes = words
    return SHAPES[name](*map(int, sizes))
