"""The adapter around the model: clocks, waiting, faults, files."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.unit.simulator.conftest import MakeSession
from tests.unit.simulator.plant_session import Change, PlantSession, RecordingSink, i4

from mxgateway_contract import hresults
from mxgateway_protocol.errors import MxComError
from mxgateway_simulator.backend import create_backend

BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("sqlalchemy", "yaml", "click", "grpc", "asyncio", "pydantic", "structlog"):
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Block())
from mxgateway_simulator.backend import create_backend
backend = create_backend({"galaxy": sys.argv[1], "board": sys.argv[2]})
class Sink:
    def on_data_change(self, *arguments):
        print(arguments[2].value)
backend.open(Sink())
server = backend.register("x")
backend.advise(server, backend.add_item(server, "TestChildObject.TestInt"))
backend.pump()
backend.close()
"""


def test_a_worker_needs_neither_sqlalchemy_nor_yaml(reference_galaxy: Path, tmp_path: Path) -> None:
    """The backend runs with every heavy import blocked."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(reference_galaxy), str(tmp_path / "b.db")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("99\n", "", 0)


def test_pump_says_when_it_wants_to_be_called_again(session: PlantSession) -> None:
    """Idle: when somebody calls; with something advised: no later than the next look at the board."""
    assert session.backend.pump() == 60.0
    session.advised("TestChildObject.TestInt")
    assert 0 < session.backend.pump() <= 0.025


def test_wake_ends_a_wait(session: PlantSession) -> None:
    """Another thread can end a long wait."""
    waiter = threading.Thread(target=session.backend.wait, args=(60,))
    waiter.start()
    session.backend.wake()
    waiter.join(10)
    assert not waiter.is_alive()


@pytest.mark.parametrize("jump", [3600, -3600])
def test_the_clock_may_be_set(session: PlantSession, jump: int) -> None:
    """After the wall clock was set an hour on or back, values go on changing once a second."""
    session.advised("TestMachine_001.TestChangingInt")
    session.advance(2)
    session.clock.set_unix_ns(session.clock.unix_ns() + jump * 10**9)
    session.advance(1.5)
    events = session.advance(5)
    assert 4 <= len(events) <= 6
    assert abs(events[-1].timestamp_ns - session.clock.unix_ns()) < 2 * 10**9


def test_a_missing_galaxy_is_told_with_the_remedy(tmp_path: Path) -> None:
    """open() fails with E_FAIL and says how to make the database."""
    backend = create_backend({"galaxy": str(tmp_path / "none.db")})
    with pytest.raises(MxComError, match="mxgateway galaxy build") as caught:
        backend.open(RecordingSink())
    assert caught.value.hresult == hresults.E_FAIL
    (tmp_path / "none.db").write_text("no database")
    with pytest.raises(MxComError, match="is no Galaxy database"):
        backend.open(RecordingSink())


def test_a_flooding_signal_gives_bursts_without_pause(make_session: MakeSession, tmp_path: Path) -> None:
    """A flood is never due later than now, and each pump gives a burst of events."""
    from mxgateway_simulator.building.builder import build_galaxy
    from mxgateway_simulator.building.description_reader import parse_description

    text = (
        "galaxy: F\ntemplates: {$T: {attributes: {N: {type: Integer, signal: {kind: flood}}}}}\n"
        "instances: {P: {template: $WinPlatform}, E: {template: $AppEngine, host: P}, O: {template: $T, host: E}}"
    )
    build_galaxy(parse_description(text, "f.yaml"), tmp_path / "f.db")
    session = make_session(tmp_path / "f.db")
    session.backend.advise(1, session.item("O.N"))
    session.backend.pump()
    session.sink.events.clear()
    assert session.backend.pump() == 0.0
    values = [event.value for event in session.sink.events if isinstance(event, Change)]
    assert len(values) >= 100
    assert values == list(range(values[0], values[0] + len(values)))


def test_a_call_can_be_made_to_fail(session: PlantSession) -> None:
    """fail_call strikes the named method as often as asked, and no other."""
    session.backend.inject_fault("fail_call", {"method": "advise", "hresult": "0x80070005", "times": "1"})
    handle = session.item("TestChildObject.TestInt")
    with pytest.raises(MxComError) as caught:
        session.backend.advise(1, handle)
    assert caught.value.hresult == hresults.E_ACCESSDENIED
    session.backend.advise(1, handle)


def test_a_call_can_be_made_slow(session: PlantSession) -> None:
    """slow_call with no time to speak of changes nothing but is accepted."""
    session.backend.inject_fault("slow_call", {"method": "add_item2", "seconds": "0", "times": "2"})
    assert session.item("A.B") == 1


def test_completions_can_be_lost(session: PlantSession) -> None:
    """drop_completions loses as many as asked; the write itself takes hold."""
    handle = session.advised("TestChildObject.TestInt")
    session.backend.inject_fault("drop_completions", {"count": "1"})
    assert [type(event) for event in session.write(handle, i4(1))] == [Change]
    assert session.outcome(handle, i4(2)) == (-1, 0, 5, 0)


def test_events_can_flood(session: PlantSession) -> None:
    """flood_events multiplies the next change."""
    handle = session.advised("TestChildObject.TestInt")
    session.backend.inject_fault("flood_events", {"count": "50"})
    changes = [event for event in session.write(handle, i4(1)) if isinstance(event, Change)]
    assert len(changes) == 51


def test_events_can_come_late(session: PlantSession) -> None:
    """late_events delivers changes of an item after its UnAdvise, as events that were under way."""
    session.backend.inject_fault("late_events", {"count": "2"})
    handle = session.advised("TestChildObject.TestInt")
    session.backend.un_advise(1, handle)
    assert [event.item for event in session.pump()] == [handle, handle]
    assert session.pump() == []


@pytest.mark.parametrize(
    ("fault", "parameters", "remedy"),
    [
        ("hang_cal", {}, "did you mean hang_call"),
        ("clear", {"x": "1"}, "takes nothing"),
        ("hang_call", {"method": "advice"}, "did you mean advise"),
        ("hang_call", {"seconds": "long"}, "seconds is a number"),
        ("fail_call", {"hresult": "bad"}, "0x80004005"),
        ("flood_events", {"count": "-1"}, "whole number"),
    ],
)
def test_wrong_faults_are_refused(session: PlantSession, fault: str, parameters: dict[str, str], remedy: str) -> None:
    """The error says what would be right."""
    with pytest.raises(ValueError, match=remedy):
        session.backend.inject_fault(fault, parameters)
