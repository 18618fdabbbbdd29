"""The parts of the examples that decide something, without a gateway."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import pytest
from tests.support.fake_gateway import Abort, data_change, running_fake

from mxgateway import ClientOptions, GatewayClient

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


async def test_the_bridge_resumes_a_broken_stream_where_it_was(load: Any, capsys: pytest.CaptureFixture[str]) -> None:
    module = load("bridge_jsonl")
    async with running_fake() as fake:
        fake.events = [data_change(1), Abort(grpc.StatusCode.UNAVAILABLE, "going away")]
        fake.scripts["StreamEventBatches"] = [None]
        bridge = module.Bridge(argparse.Namespace(tags=["A.B"], count=2, longest_pause=0.0))
        bridge.put = lambda **line: _record(fake, line)
        async with GatewayClient(ClientOptions(endpoint=fake.endpoint, plaintext=True)) as client:
            await bridge.run(client)
    assert [line["sequence"] for line in fake.lines] == [1, 2]
    assert [request.after_worker_sequence for request in fake.stream_requests] == [0, 1]
    assert fake.calls["OpenSession"] == 1
    assert "MxGatewayConnectionError" in capsys.readouterr().err


def _record(fake: Any, line: dict[str, Any]) -> None:
    fake.lines = [*getattr(fake, "lines", []), line]
    # What the resumed stream will have.
    fake.events = [data_change(1), data_change(2)]


async def test_the_bridge_opens_a_new_session_and_says_so_when_its_own_is_gone(load: Any) -> None:
    module = load("bridge_jsonl")
    lines: list[dict[str, Any]] = []
    async with running_fake() as fake:
        fake.events = [data_change(1, item_handle=2)]  # the second session's item
        fake.scripts["StreamEventBatches"] = [Abort(grpc.StatusCode.NOT_FOUND, "no such session")]
        bridge = module.Bridge(argparse.Namespace(tags=["A.B"], count=1, longest_pause=0.0))
        bridge.put = lambda **line: lines.append(line)
        async with GatewayClient(ClientOptions(endpoint=fake.endpoint, plaintext=True)) as client:
            await bridge.run(client)
    assert fake.calls["OpenSession"] == 2
    assert "gap" in lines[0]
    assert lines[1]["sequence"] == 1
