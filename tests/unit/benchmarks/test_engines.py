from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.engines import LEFT_OUT, measure_graph
from benchmarks.figures import OURS, Figure, Options
from benchmarks.peers import PEERS


@pytest.mark.parametrize("is_short", [False, True])
def test_a_peer_that_is_not_measured_is_named_in_the_report(
    tmp_path: Path, *, is_short: bool
) -> None:
    options = Options(rounds=1, short=is_short, peers=(), scratch=tmp_path)
    found = [
        one for one in measure_graph("W", "work", "chain 3", options) if isinstance(one, Figure)
    ]
    assert any(one.subject == OURS and one.samples for one in found)
    left_out = {one.subject for one in found if one.note == LEFT_OUT and not one.samples}
    assert left_out == (set() if is_short else {peer.name for peer in PEERS.values()})
