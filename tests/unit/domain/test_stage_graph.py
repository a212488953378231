"""What `depends_on` and `parallel_with` mean, and how a graph is asked about it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate_tui.domain.graph import StageGraph, find_cycles, parallel_groups
from orchestrate_tui.domain.pipeline import Stage

MANY = 10_000


def stage(
    name: str, depends_on: tuple[str, ...] | None = None, parallel_with: tuple[str, ...] = ()
) -> Stage:
    return Stage(name=name, agent="a", task="t", depends_on=depends_on, parallel_with=parallel_with)


def graph(*stages: Stage) -> StageGraph:
    return StageGraph.of(stages)


def closure(edges: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    """What every stage waits for, directly or not; itself too when it is on a cycle."""
    reach = {name: set(targets) for name, targets in edges.items()}
    for middle, beyond in reach.items():
        for found in reach.values():
            if middle in found:
                found.update(beyond)
    return {name: frozenset(found) for name, found in reach.items()}


def by_the_rule(stages: Sequence[Stage]) -> dict[str, frozenset[str]]:
    """The dependencies as the words of the specification define them, word by word."""
    names = [one.name for one in stages]
    links = {name: {name} for name in names}
    for one in stages:
        for partner in one.parallel_with:
            if partner in links:
                together = links[one.name] | links[partner]
                for member in together:
                    links[member] = together
    found: dict[str, frozenset[str]] = {}
    for index, one in enumerate(stages):
        first = min(links[one.name], key=names.index)
        own = frozenset(one.depends_on or ()) & frozenset(names)
        if first != one.name:
            own |= found[first]
        elif one.depends_on is None:
            own |= frozenset(names[:index])
        found[one.name] = own
    return found


NAMES = tuple("abcdefgh")


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[Stage, ...]:
    names = draw(st.permutations(NAMES[: draw(st.integers(1, len(NAMES)))]))
    some = st.lists(st.sampled_from((*names, "unknown")), max_size=3, unique=True).map(tuple)
    groups = st.one_of(st.just(()), st.just(()), some)
    return tuple(stage(name, draw(st.none() | some), draw(groups)) for name in names)


class TestDependsOn:
    def test_a_plain_list_is_a_sequence(self) -> None:
        assert graph(stage("a"), stage("b"), stage("c")).dependencies == {
            "a": (),
            "b": ("a",),
            "c": ("b",),
        }

    def test_a_stage_without_depends_on_waits_for_everything_above_it(self) -> None:
        found = graph(stage("a", ()), stage("b", ()), stage("c", ("a",)), stage("d"))
        assert found.upstream("d") == {"a", "b", "c"}

    def test_only_what_nothing_above_waits_for_is_listed(self) -> None:
        found = graph(stage("a", ()), stage("b", ()), stage("c", ("a",)), stage("d"))
        assert found.dependencies["d"] == ("b", "c")

    def test_an_empty_list_starts_at_once(self) -> None:
        assert graph(stage("a"), stage("b", ())).dependencies["b"] == ()

    def test_a_list_names_exactly_what_is_waited_for(self) -> None:
        assert graph(stage("a"), stage("b"), stage("c", ("a",))).dependencies["c"] == ("a",)

    def test_a_stage_named_twice_is_one_dependency(self) -> None:
        assert graph(stage("a"), stage("b", ("a", "a"))).dependencies["b"] == ("a",)

    def test_a_stage_further_down_may_be_named(self) -> None:
        found = graph(stage("last", ("first",)), stage("first", ()))
        assert found.order == ("first", "last")

    def test_what_stands_below_a_forward_reference_still_waits_for_everything_above(self) -> None:
        found = graph(stage("a", ("c",)), stage("b"), stage("c", ()), stage("d"))
        assert found.upstream("d") == {"a", "b", "c"}

    def test_a_stage_that_does_not_exist_is_left_out(self) -> None:
        assert graph(stage("a", ("ghost",))).dependencies["a"] == ()


class TestParallelWith:
    def test_a_partner_starts_with_the_first_member(self) -> None:
        found = graph(stage("build"), stage("lint"), stage("test", None, ("lint",)))
        assert found.dependencies["test"] == ("build",)

    def test_the_link_may_stand_at_the_upper_stage(self) -> None:
        found = graph(stage("build"), stage("lint", None, ("test",)), stage("test"))
        assert found.dependencies["test"] == found.dependencies["lint"] == ("build",)

    def test_links_are_transitive(self) -> None:
        stages = (stage("a", None, ("c",)), stage("x"), stage("b"), stage("c", None, ("b",)))
        assert parallel_groups(stages) == dict.fromkeys("abc", ("a", "b", "c"))

    def test_a_stage_between_two_partners_is_no_dependency_of_the_lower(self) -> None:
        found = graph(stage("a"), stage("between"), stage("b", None, ("a",)))
        assert found.dependencies == {"a": (), "between": ("a",), "b": ()}

    def test_depends_on_of_a_later_partner_is_added(self) -> None:
        found = graph(stage("base"), stage("a", ()), stage("b", ("base",), ("a",)))
        assert found.dependencies["b"] == ("base",)

    def test_an_empty_depends_on_of_a_later_partner_takes_nothing_away(self) -> None:
        found = graph(stage("base"), stage("a"), stage("b", (), ("a",)))
        assert found.dependencies["b"] == ("base",)

    def test_depends_on_of_the_first_partner_is_shared(self) -> None:
        found = graph(stage("x", ()), stage("y", ()), stage("a", ("x",)), stage("b", None, ("a",)))
        assert found.dependencies["b"] == ("x",)

    def test_the_stage_after_a_group_waits_for_all_of_it(self) -> None:
        found = graph(stage("a"), stage("b", None, ("a",)), stage("c", None, ("b",)), stage("d"))
        assert found.dependencies["d"] == ("a", "b", "c")

    def test_two_groups_stay_apart(self) -> None:
        stages = (stage("a"), stage("b", None, ("a",)), stage("c"), stage("d", None, ("c",)))
        assert graph(*stages).dependencies["d"] == ("a", "b")

    @pytest.mark.parametrize("partner", ["a", "ghost"])
    def test_itself_and_a_stage_that_does_not_exist_are_no_partners(self, partner: str) -> None:
        assert graph(stage("x"), stage("a", None, (partner,))).dependencies["a"] == ("x",)

    def test_a_partner_that_the_first_member_waits_for_makes_a_cycle(self) -> None:
        assert graph(stage("a", ("b",)), stage("b", None, ("a",))).cycles() == (("b",),)


class TestTheRule:
    @given(pipelines())
    def test_the_shortened_edges_mean_the_same_as_the_full_rule(
        self, stages: tuple[Stage, ...]
    ) -> None:
        full = closure(by_the_rule(stages))
        if any(name in found for name, found in full.items()):
            return  # the next test
        assert closure(StageGraph.of(stages).dependencies) == full

    @given(pipelines())
    def test_there_is_a_cycle_exactly_when_the_full_rule_has_one(
        self, stages: tuple[Stage, ...]
    ) -> None:
        full = closure(by_the_rule(stages))
        has_cycle = any(name in found for name, found in full.items())
        assert bool(StageGraph.of(stages).cycles()) == has_cycle

    @given(pipelines())
    def test_the_order_holds_everything_but_what_waits_for_a_cycle(
        self, stages: tuple[Stage, ...]
    ) -> None:
        found = StageGraph.of(stages)
        reach = closure(found.dependencies)
        stuck = {name for name in reach if any(n in reach[n] for n in (name, *reach[name]))}
        assert set(found.order) == set(found.names) - stuck
        for name in found.order:
            assert set(found.order[: found.order.index(name)]) >= set(found.dependencies[name])

    @given(pipelines())
    def test_upstream_and_downstream_are_the_closure_in_both_directions(
        self, stages: tuple[Stage, ...]
    ) -> None:
        found = StageGraph.of(stages)
        reach = closure(found.dependencies)
        for name in found.names:
            assert found.upstream(name) == reach[name] - {name}
            assert found.downstream(name) == {n for n in reach if name in reach[n]} - {name}


class TestAsking:
    def test_ties_in_the_order_go_by_the_file(self) -> None:
        found = graph(stage("z", ()), stage("m", ()), stage("a", ("z",)), stage("b", ()))
        assert found.order == ("z", "m", "a", "b")

    def test_what_waits_for_several_comes_after_the_last_of_them(self) -> None:
        found = graph(stage("smoke", ("api", "web")), stage("api", ()), stage("web", ()))
        assert found.order == ("api", "web", "smoke")

    def test_dependants_stand_in_file_order(self) -> None:
        found = graph(stage("a"), stage("z", ("a",)), stage("b", ("a",)))
        assert found.dependants == {"a": ("z", "b"), "z": (), "b": ()}

    def test_several_starts_are_not_in_the_answer(self) -> None:
        found = graph(stage("a"), stage("b"), stage("c"), stage("d"))
        assert found.downstream("a", "c") == {"b", "d"}
        assert found.upstream("d", "b") == {"a", "c"}

    def test_positions_count_from_zero(self) -> None:
        assert graph(stage("a"), stage("b")).position == {"a": 0, "b": 1}

    def test_an_unknown_stage_raises(self) -> None:
        with pytest.raises(KeyError):
            graph(stage("a")).downstream("ghost")

    def test_no_stages_make_an_empty_graph(self) -> None:
        found = graph()
        assert (found.order, found.cycles(), found.dependants) == ((), (), {})


class TestCycles:
    def test_a_stage_that_waits_for_itself_is_a_cycle(self) -> None:
        assert graph(stage("a", ("a",))).cycles() == (("a",),)

    def test_a_cycle_begins_with_its_first_stage_and_each_waits_for_the_one_before(self) -> None:
        found = graph(stage("a", ("c",)), stage("b", ("a",)), stage("c", ("b",)))
        assert found.cycles() == (("a", "b", "c"),)

    def test_knots_are_told_apart_in_file_order(self) -> None:
        found = graph(
            stage("d", ("c",)), stage("c", ("d",)), stage("b", ("a", "c")), stage("a", ("b",))
        )
        assert found.cycles() == (("d", "c"), ("b", "a"))

    def test_a_stage_above_a_forward_reference_to_it_makes_a_cycle(self) -> None:
        assert graph(stage("a", ("b",)), stage("b")).cycles() == (("a", "b"),)

    def test_a_target_without_a_name_is_on_no_cycle(self) -> None:
        assert find_cycles(("a",), {"a": ("elsewhere",)}) == ()

    @given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=4)))
    def test_every_cycle_is_real_and_nothing_is_left_without_them(
        self, given_edges: dict[str, list[str]]
    ) -> None:
        edges = {name: given_edges.get(name, []) for name in NAMES}
        cycles = find_cycles(NAMES, edges)
        for cycle in cycles:
            assert all(cycle[index - 1] in edges[name] for index, name in enumerate(cycle)), (
                "each waits for the one before it"
            )
        on_cycles = [name for cycle in cycles for name in cycle]
        assert len(on_cycles) == len(set(on_cycles))
        rest = {n: [t for t in edges[n] if t not in on_cycles] for n in edges if n not in on_cycles}
        assert not any(name in found for name, found in closure(rest).items())


def calls_made_by(work: Callable[[], object]) -> int:
    """How many functions `work` enters and leaves: a cost that a busy machine does not change."""
    count = 0

    def tally(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(tally)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


class Name(str):
    """A name whose look-ups are counted by `calls_made_by`."""

    __slots__ = ()

    def __hash__(self) -> int:
        return super().__hash__()


class TestSize:
    @pytest.mark.parametrize("size", [1_000, MANY])
    def test_a_plain_list_has_one_edge_per_stage(self, size: int) -> None:
        found = graph(*(stage(f"s{number}") for number in range(size)))
        assert sum(map(len, found.dependencies.values())) == size - 1
        assert found.order == found.names

    def test_a_deep_chain_is_walked_without_recursion(self) -> None:
        found = graph(*(stage(f"s{number}") for number in range(MANY)))
        assert len(found.downstream("s0")) == MANY - 1
        assert found.cycles() == ()

    def test_a_row_of_diamonds_is_walked_once_not_on_every_way(self) -> None:
        edges: dict[str, tuple[str, ...]] = {"joint0": ()}
        for number in range(1, 100):
            edges[f"left{number}"] = edges[f"right{number}"] = (f"joint{number - 1}",)
            edges[f"joint{number}"] = (f"left{number}", f"right{number}")
        assert find_cycles(tuple(reversed(edges)), edges) == ()

    def test_one_long_cycle_is_found_whole(self) -> None:
        names = tuple(f"s{number}" for number in range(MANY))
        edges = {name: (names[index - 1],) for index, name in enumerate(names)}
        assert find_cycles(names, edges) == (names,)

    def test_twice_as_many_cycles_cost_twice_as_much(self) -> None:
        def work(size: int) -> Callable[[], object]:
            names = tuple(f"s{number}" for number in range(size))
            return lambda: find_cycles(names, {name: (name,) for name in names})

        assert calls_made_by(work(400)) < 3 * calls_made_by(work(200))

    def test_twice_as_many_groups_cost_twice_as_much(self) -> None:
        def work(size: int) -> Callable[[], object]:
            names = [(Name(f"a{number}"), Name(f"b{number}")) for number in range(size)]
            pairs = [(stage(one), stage(other, None, (one,))) for one, other in names]
            return lambda: parallel_groups([one for pair in pairs for one in pair])

        assert calls_made_by(work(400)) < 3 * calls_made_by(work(200))
