"""Calls by name: the images that IDispatch::Invoke is given and leaves, and the consumer's provider in the backend."""

from __future__ import annotations

import struct
import threading

import pytest
from tests.support.com_memory import Arena
from tests.unit.worker.com.test_backend import Opened

from mxgateway_contract import hresults
from mxgateway_protocol.alarms.provider import AlarmName, AlarmSubscription, Operator, ProviderError
from mxgateway_protocol.errors import BackendOptionError, MxComError
from mxgateway_worker.backends.com.backend import ComOptions
from mxgateway_worker.backends.com.images import ImageError
from mxgateway_worker.backends.com.late_binding import (
    EXCEPTION_SIZE,
    EXCEPTION_TEXTS,
    argument_images,
    exception_of,
    integer_of,
    parameters,
    text_of,
)

SUBSCRIPTION = AlarmSubscription(("\\Galaxy!Hall",), time_zone="UTC")


def test_arguments_stand_in_reverse_and_a_text_to_be_filled_comes_first() -> None:
    arena = Arena()
    images = argument_images((7, "ä𝄞"), arena.bstr, out=0x1234)
    assert images[0] == struct.pack("<H6xI4x", 0x400C, 0x1234)
    vartype, pointer = struct.unpack("<H6xI4x", images[1])
    assert (vartype, text_of(images[1], arena.read)) == (8, "ä𝄞")
    assert images[2] == struct.pack("<H6xi4x", 3, 7)
    arena.clear(images[1])
    assert arena.blocks == 0
    assert pointer
    assert parameters(0x5678, 3) == struct.pack("<IIII", 0x5678, 0, 3, 0)
    assert argument_images((), arena.bstr) == []


@pytest.mark.parametrize(
    ("image", "number"),
    [
        (bytes(16), 0),
        (struct.pack("<H6xi4x", 3, -55), -55),
        (struct.pack("<H6xi4x", 22, 4), 4),
        (struct.pack("<H6xh6x", 2, -2), -2),
        (struct.pack("<H6xh6x", 11, -1), -1),
    ],
)
def test_a_methods_number(image: bytes, number: int) -> None:
    assert integer_of(image) == number


def test_what_is_no_number_or_no_text_is_told_apart() -> None:
    arena = Arena()
    with pytest.raises(ImageError, match="VARTYPE 8"):
        integer_of(struct.pack("<H6xI4x", 8, arena.bstr("x")))
    assert text_of(bytes(16), arena.read) is None
    assert text_of(struct.pack("<H6xI4x", 8, 0), arena.read) == "", "a null pointer is an empty text"


def test_a_methods_own_failure_is_its_hresult_and_text() -> None:
    arena = Arena()
    texts = [arena.bstr(text) for text in ("source", " it was so \n", "")]

    def raised(code: int, scode: int) -> bytes:
        return struct.pack("<HHIIIIIIi", code, 0, *texts, 0, 0, 0, scode)

    assert exception_of(raised(0, hresults.E_FAIL), arena.read) == (hresults.E_FAIL, "it was so")
    assert exception_of(raised(5, 0), arena.read)[0] & 0xFFFFFFFF == 0x8004_0205
    image = raised(0, hresults.E_FAIL)
    assert len(image) == EXCEPTION_SIZE == 32, "as it is in a 32-bit process"
    assert [int.from_bytes(image[place : place + 4], "little") for place in EXCEPTION_TEXTS] == texts


# ------------------------------------------------------------------------------------------------------- in the backend


class Consumer:
    """A consumer that says yes to everything."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.released = 0

    def call(self, method: str, *arguments: int | str, wants_text: bool = False) -> tuple[int, str | None]:
        self.calls.append(method)
        return 0, "<ALARM_RECORDS></ALARM_RECORDS>" if wants_text else None

    def release(self) -> None:
        self.released += 1


def test_the_consumer_is_made_when_it_is_subscribed_and_goes_before_lmxproxy() -> None:
    opened = Opened().open()
    consumers: list[Consumer] = []

    def make() -> Consumer:
        consumers.append(Consumer())
        return consumers[-1]

    opened.apartment.make_late_bound = make
    provider = opened.backend.alarm_provider()
    assert opened.apartment.late_bound == []
    provider.subscribe(SUBSCRIPTION)
    assert opened.apartment.late_bound == ["WNWRAPCONSUMERLib.wwAlarmConsumer"] * 2
    assert provider.poll(0).total == 0
    opened.backend.close()
    assert [each.released for each in consumers] == [1, 1]
    assert opened.apartment.entered == 0
    with pytest.raises(ProviderError):
        provider.poll(0)


def test_a_consumer_that_is_not_installed_is_a_failure_with_its_hresult() -> None:
    opened = Opened(options={"alarm_consumer": "{7AB52E5F-0000-0000-0000-000000000000}"}).open()
    with pytest.raises(ProviderError) as failed:
        opened.backend.alarm_provider().subscribe(SUBSCRIPTION)
    assert failed.value.hresult == hresults.REGDB_E_CLASSNOTREG
    assert not failed.value.is_misconfigured, "the attributes take over, and it is tried again"
    assert opened.apartment.late_bound == ["{7AB52E5F-0000-0000-0000-000000000000}"]
    opened.backend.close()


def test_a_consumer_that_is_switched_off_is_none() -> None:
    opened = Opened(options={"alarm_consumer": "off"}).open()
    provider = opened.backend.alarm_provider()
    for call in (
        lambda: provider.subscribe(SUBSCRIPTION),
        lambda: provider.poll(0),
        lambda: provider.acknowledge(AlarmName("n", "p", "g"), "", Operator()),
    ):
        with pytest.raises(ProviderError, match="alarm_consumer") as failed:
            call()
        assert not failed.value.is_misconfigured
    provider.close()
    assert opened.apartment.late_bound == []
    opened.backend.close()


def test_a_provider_is_the_apartment_threads_alone() -> None:
    opened = Opened().open()
    failures: list[Exception] = []

    def elsewhere() -> None:
        try:
            opened.backend.alarm_provider()
        except RuntimeError as error:
            failures.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join(10)
    assert len(failures) == 1
    opened.backend.close()


@pytest.mark.parametrize("name", ["", "two words", "x;y", "{7AB52E5F}", "1st"])
def test_the_name_of_a_consumer_is_checked(name: str) -> None:
    with pytest.raises(BackendOptionError, match="alarm_consumer"):
        ComOptions({"alarm_consumer": name})


def test_a_call_that_fails_while_the_consumer_is_given_back_keeps_nothing() -> None:
    opened = Opened().open()

    class Stubborn(Consumer):
        def call(self, method: str, *arguments: int | str, wants_text: bool = False) -> tuple[int, str | None]:
            if method in ("DeregisterConsumer", "UninitializeConsumer"):
                raise MxComError(hresults.E_FAIL, "no")
            return super().call(method, *arguments, wants_text=wants_text)

    made: list[Stubborn] = []
    opened.apartment.make_late_bound = lambda: made.append(Stubborn()) or made[-1]  # type: ignore[func-returns-value]
    opened.backend.alarm_provider().subscribe(SUBSCRIPTION)
    opened.backend.close()
    assert [each.released for each in made] == [1, 1]
