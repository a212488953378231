from __future__ import annotations

from orchestrate_tui.console.bridge import MOST_EVENTS, Bridge
from orchestrate_tui.domain.status import StageStatus
from orchestrate_tui.executor.hub import Change, Hub
from tests.console.scenery import Story


def test_what_others_commit_is_found_in_the_database(story: Story) -> None:
    run_id = story.run()
    bridge = Bridge(story.history)
    assert not bridge.drain()
    story.becomes(run_id, "build", StageStatus.RUNNING)
    rollback_id = story.rollback(run_id)
    changes = bridge.drain()
    assert changes.concern(run_id)
    assert not changes.concern(run_id + 1)
    assert rollback_id in changes.rollbacks
    assert not bridge.drain()


def test_what_the_own_executor_commits_is_told_by_it(story: Story) -> None:
    hub = Hub()
    bridge = Bridge(story.history, hub.subscribe())
    hub.publish([Change(run_id=7, stage_name="build"), Change(run_id=8, rollback_id=3)])
    changes = bridge.drain()
    assert changes.concern(7)
    assert changes.concern(8)
    assert changes.rollbacks == {3}


def test_of_each_run_it_is_told_which_stages_changed_and_whether_more_did(story: Story) -> None:
    hub = Hub()
    bridge = Bridge(story.history, hub.subscribe())
    hub.publish(Change(run_id=7, stage_name=name) for name in ("build", "test"))
    changes = bridge.drain()
    assert changes.stages == {7: {"build", "test"}}
    assert not changes.runs
    assert not changes.concern_rows
    hub.publish([Change(run_id=7, stage_name="build"), Change(run_id=7)])
    changes = bridge.drain()
    assert changes.stages == {7: {"build"}}
    assert changes.runs == {7}
    assert changes.concern_rows


def test_an_undo_of_a_stage_changes_more_than_the_stage(story: Story) -> None:
    hub = Hub()
    bridge = Bridge(story.history, hub.subscribe())
    hub.publish([Change(run_id=7, stage_name="build", rollback_id=1)])
    changes = bridge.drain()
    assert changes.stages == {7: {"build"}}
    assert changes.runs == {7}
    assert changes.concern_rows


def test_an_executor_that_comes_later_is_listened_to_from_then_on(story: Story) -> None:
    hub, bridge = Hub(), Bridge(story.history)
    bridge.listen(hub.subscribe())
    hub.publish([Change(run_id=7)])
    assert bridge.drain().runs == {7}


def test_the_database_is_looked_at_only_when_it_is_asked_for_then(story: Story) -> None:
    bridge = Bridge(story.history, Hub().subscribe())
    run_id = story.run()
    assert not bridge.drain(with_others=False)
    assert bridge.drain().concern(run_id)


def test_without_an_executor_it_is_always_looked_at(story: Story) -> None:
    bridge = Bridge(story.history)
    run_id = story.run()
    assert bridge.drain(with_others=False).concern(run_id)


def test_a_listener_that_was_too_slow_reads_everything_again(story: Story) -> None:
    hub = Hub()
    bridge = Bridge(story.history, hub.subscribe(capacity=3))
    hub.publish(Change(run_id=number) for number in range(10))
    assert bridge.drain().everything
    assert not bridge.drain()


def test_what_nobody_knows_the_rest_of_concerns_every_run(story: Story) -> None:
    hub = Hub()
    bridge = Bridge(story.history, hub.subscribe(capacity=3))
    hub.publish(Change(run_id=number) for number in range(10))
    hub.publish([Change(run_id=7, stage_name="build")])
    changes = bridge.drain()
    assert changes.everything
    assert changes.concern(1)


def test_of_many_changes_of_a_stage_it_is_told_once(story: Story) -> None:
    run_id = story.run()
    bridge = Bridge(story.history)
    for _ in range(20):
        story.becomes(run_id, "build", StageStatus.RUNNING, StageStatus.RETRYING)
    assert bridge.drain().stages == {run_id: {"build"}}


def test_more_events_than_can_be_told_mean_everything(story: Story) -> None:
    run_id = story.run()
    bridge = Bridge(story.history)
    story.database.write(
        lambda connection: connection.executemany(
            "INSERT INTO events (run_id, at, kind) VALUES (?, '2026-05-04T12:00:00.000000Z', 'x')",
            [(run_id,)] * (MOST_EVENTS + 1),
        )
    )
    assert bridge.drain().everything
    assert not bridge.drain()
