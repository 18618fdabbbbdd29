"""Frames and windows of the stranger's HTTP/2."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from attack.http2 import (
    ACK,
    DATA,
    END_STREAM,
    FIRST_WINDOW,
    GO_AWAY,
    HEADERS,
    MAX_FRAME,
    PING,
    RESET,
    SETTINGS,
    WINDOW,
    Connection,
    Frame,
    frame,
    headers,
    integer,
)
from tests.support.waiting import eventually


class Writer:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def frames(self) -> list[Frame]:
        found, data = [], self.data
        while data:
            length = int.from_bytes(data[:3], "big")
            found.append(Frame(data[3], data[4], int.from_bytes(data[5:9], "big"), data[9 : 9 + length]))
            data = data[9 + length :]
        return found


@pytest.fixture
def writer() -> Writer:
    return Writer()


@pytest.fixture
async def connection(writer: Writer) -> Connection:
    made = Connection(asyncio.StreamReader(), cast(asyncio.StreamWriter, writer))
    made.open(b"", 1)
    return made


@pytest.mark.parametrize(
    ("value", "bits", "data"),
    [(10, 5, b"\x0a"), (1337, 5, b"\x1f\x9a\x0a"), (42, 8, b"\x2a"), (126, 7, b"\x7e"), (127, 7, b"\x7f\x00")],
)
def test_integers_are_those_of_the_standard(value: int, bits: int, data: bytes) -> None:
    assert integer(value, bits) == data


def test_frames_and_fields_are_those_of_the_standard() -> None:
    assert frame(PING, ACK, 0, b"12345678") == b"\x00\x00\x08\x06\x01\x00\x00\x00\x0012345678"
    assert headers([("a", "bc")]) == b"\x10\x01a\x02bc"


async def test_no_more_is_sent_than_both_windows_take(connection: Connection, writer: Writer) -> None:
    sending = asyncio.ensure_future(connection.send(1, FIRST_WINDOW + 10))
    await eventually(lambda: sum(len(each.payload) for each in writer.frames()) == FIRST_WINDOW)
    assert max(len(each.payload) for each in writer.frames()) == MAX_FRAME
    connection.take(Frame(WINDOW, 0, 1, (100).to_bytes(4, "big")))
    await asyncio.sleep(0)
    assert not sending.done(), "the connection's own window is used up"
    connection.take(Frame(WINDOW, 0, 0, (100).to_bytes(4, "big")))
    assert await sending == FIRST_WINDOW + 10
    assert {each.kind for each in writer.frames()} == {DATA}
    assert not any(each.flags & END_STREAM for each in writer.frames()), "the message is never finished"


@pytest.mark.parametrize(
    "end", [Frame(RESET, 0, 1, b"\0\0\0\x08"), Frame(HEADERS, END_STREAM, 1, b""), Frame(GO_AWAY, 0, 0, b"\0" * 8)]
)
async def test_who_is_refused_stops_sending(connection: Connection, end: Frame) -> None:
    sending = asyncio.ensure_future(connection.send(1, 10 * FIRST_WINDOW))
    await asyncio.sleep(0)
    connection.take(end)
    assert await sending <= FIRST_WINDOW
    assert not connection.is_open(1)


async def test_settings_and_pings_are_answered_and_a_new_first_window_counts(
    connection: Connection, writer: Writer
) -> None:
    connection.take(Frame(SETTINGS, 0, 0, b"\x00\x04" + (FIRST_WINDOW + 50).to_bytes(4, "big")))
    connection.take(Frame(WINDOW, 0, 0, (50).to_bytes(4, "big")))
    connection.take(Frame(PING, 0, 0, b"abcdefgh"))
    connection.take(Frame(PING, ACK, 0, b"abcdefgh"))
    connection.take(Frame(SETTINGS, ACK, 0, b""))
    assert [(each.kind, each.flags) for each in writer.frames()] == [(SETTINGS, ACK), (PING, ACK)]
    assert await connection.send(1, FIRST_WINDOW + 50) == FIRST_WINDOW + 50
