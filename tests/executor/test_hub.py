from __future__ import annotations

from threading import Thread

from orchestrate_tui.executor.hub import Change, Hub


def change(number: int, stage_name: str | None = "build") -> Change:
    return Change(run_id=number, stage_name=stage_name)


def test_everybody_hears_what_is_published_after_they_subscribed() -> None:
    hub = Hub()
    hub.publish([change(1)])
    one, other = hub.subscribe(), hub.subscribe()
    hub.publish([change(2), change(3)])
    assert one.drain() == other.drain() == (change(2), change(3))
    assert one.drain() == ()


def test_the_same_change_waits_once() -> None:
    hub = Hub()
    subscription = hub.subscribe()
    for _ in range(1000):
        hub.publish([change(1), change(1, None)])
    assert subscription.drain() == (change(1), change(1, None))


def test_a_listener_that_is_too_slow_loses_its_buffer_and_is_told_once() -> None:
    hub = Hub()
    slow, quick = hub.subscribe(capacity=10), hub.subscribe()
    hub.publish(change(number) for number in range(11))
    assert len(quick.drain()) == 11
    assert slow.drain() == ()
    assert slow.take_stale()
    assert not slow.take_stale()
    hub.publish([change(12)])
    assert slow.drain() == (change(12),)
    assert not quick.take_stale()


def test_who_has_left_hears_nothing() -> None:
    hub = Hub()
    gone, here = hub.subscribe(), hub.subscribe()
    hub.unsubscribe(gone)
    hub.unsubscribe(gone)
    hub.publish([change(1)])
    assert (gone.drain(), here.drain()) == ((), (change(1),))


def test_threads_may_subscribe_publish_and_drain_at_once() -> None:
    hub = Hub()
    heard: list[set[Change]] = []

    def listen() -> None:
        subscription = hub.subscribe()
        seen: set[Change] = set()
        while change(-1) not in seen:
            seen.update(subscription.drain())
            hub.publish([change(-2)])
        heard.append(seen)

    threads = [Thread(target=listen) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        hub.publish([change(-1)])
    assert len(heard) == 4
