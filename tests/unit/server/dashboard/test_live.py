"""Frames: encoded once, never queued, and ended for everybody."""

from __future__ import annotations

import asyncio

from mxgateway_server.dashboard.live import Feed, Frame, framed


def test_an_event_is_three_lines_and_an_empty_one() -> None:
    assert framed("frame", b'{"n":1}', 1) == b'event: frame\nid: 1\ndata: {"n":1}\n\n'
    assert framed("end", b"{}") == b"event: end\ndata: {}\n\n"


def test_a_frame_is_encoded_when_somebody_asks_and_once_for_all() -> None:
    calls: list[int] = []

    def encode() -> bytes:
        calls.append(1)
        return b"{}"

    frame = Frame(1, encode)
    assert not calls
    assert frame.event == frame.event
    assert frame.data == b"{}"
    assert len(calls) == 1


async def test_a_slow_reader_sees_the_newest_and_skips_the_rest() -> None:
    feed = Feed()
    for number in range(1, 6):
        feed.publish(Frame(number, lambda: b"{}"))
    newest = await feed.newer(1)
    assert newest is not None
    assert newest.number == 5
    waiting = asyncio.create_task(feed.newer(5))
    await asyncio.sleep(0)
    assert not waiting.done()
    feed.publish(Frame(6, lambda: b"{}"))
    found = await waiting
    assert found is not None
    assert found.number == 6


async def test_the_end_ends_all_readers_those_to_come_too() -> None:
    feed = Feed()
    waiting = [asyncio.create_task(feed.newer(0)) for _ in range(3)]
    await asyncio.sleep(0)
    feed.end()
    assert await asyncio.gather(*waiting) == [None] * 3
    assert await feed.newer(0) is None
