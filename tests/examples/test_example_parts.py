"""The parts of the examples that decide something, without a gateway."""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest
from tests.support.fake_gateway import Abort, data_change, running_fake

from mxgateway import DataChange
from mxgateway.generated import mxaccess_gateway_pb2 as pb

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports an example by its name."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def load_module(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    return load_module


def test_an_alert_needs_the_dead_band_to_end_and_bad_quality_is_news(load: Any) -> None:
    watch = load("threshold_alert").Watch("Tank.Level", above=90.0, dead_band=5.0)
    seen = [watch.see(value, good) for value, good in [(50, True), (91, True), (88, True), (84, True), (99, False)]]
    assert seen == [
        "Tank.Level: unknown -> normal (50)",
        "Tank.Level: normal -> high (91)",
        None,
        "Tank.Level: high -> normal (84)",
        "Tank.Level: normal -> bad (99)",
    ]


def change(**parts: Any) -> DataChange:
    plain = DataChange(
        tag="A.B",
        value=1,
        quality=192,
        source_timestamp=None,
        statuses=(),
        worker_sequence=1,
        replayed=False,
        recovered=False,
        lost_before=0,
        raw=pb.MxEvent(),
    )
    return replace(plain, **parts)


def test_the_bridges_lines_have_marks_only_when_they_say_something(load: Any) -> None:
    line_of = load("bridge_jsonl").line_of
    assert json.loads(line_of(change())) == {"tag": "A.B", "value": 1, "good": True, "quality": 192, "time": None}
    marked = json.loads(line_of(change(recovered=True, lost_before=3)))
    assert (marked["recovered"], marked["lostBefore"]) == (True, 3)
    assert "replayed" not in marked


async def test_the_bridge_goes_on_after_its_stream_broke(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    module = load("bridge_jsonl")
    async with running_fake() as fake:
        fake.put(data_change(1), Abort(grpc.StatusCode.UNAVAILABLE, "going away"), data_change(2))
        arguments = argparse.Namespace(
            tags=["A.B"], count=2, buffer=10, endpoint=fake.endpoint, ca_file=None, api_key_env="NO_KEY", plaintext=True
        )
        await module.run(arguments)
    written = capsys.readouterr()
    assert [json.loads(line)["value"] for line in written.out.splitlines()] == [1, 2]
    assert "bridge: reconnecting" in written.err
    assert fake.stream_requests[-1].after_worker_sequence == 1
