"""What spans say, which there are, and what becomes of them when nobody takes them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import pytest
import structlog
from tests.support.waiting import eventually

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.config.telemetry_section import TelemetrySettings
from mxgateway_server.counters import Tally
from mxgateway_server.errors import CommandTimeoutError, ConfigurationError
from mxgateway_server.telemetry import opening

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from mxgateway_server.telemetry.outlet import BATCH_SPANS, SpanOutlet
from mxgateway_server.telemetry.spans import MOST_TAGS, SpanOptions, Spans

INVOKE = "mxaccess_gateway.v1.MxAccessGateway/Invoke"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
RESOURCE = {"service.name": "mxaccess-gateway", "service.version": "1"}


class Rig:
    """Spans, and those that were exported."""

    def __init__(self, chances: Sequence[float] = (), **options: Any) -> None:
        self.counts = Tally()
        self._exporter = InMemorySpanExporter()
        left = iter(chances)
        self.spans = Spans(self._exporter, SpanOptions(**options), RESOURCE, self.counts, chance=lambda: next(left))

    async def ended(self) -> dict[str, ReadableSpan]:
        """The spans by their names."""
        await self.spans.close()
        return {span.name: span for span in self._exporter.get_finished_spans()}


def ids(span: ReadableSpan) -> tuple[int, int, int]:
    """Trace, span and parent."""
    assert span.context is not None
    return span.context.trace_id, span.context.span_id, span.parent.span_id if span.parent else 0


async def test_a_call_says_method_and_code_and_belongs_to_its_callers_trace() -> None:
    rig = Rig()
    metadata = [("authorization", "Bearer mxgw_secret"), ("traceparent", f"00-{TRACE}-{PARENT}-01")]
    call = rig.spans.begin(INVOKE, metadata, "c1", 1_000)
    assert call is not None
    call.end("OK")
    span = (await rig.ended())[INVOKE]
    assert ids(span)[::2] == (int(TRACE, 16), int(PARENT, 16))
    assert call.facts == {"trace_id": TRACE, "span_id": f"{ids(span)[1]:016x}"}
    assert span.kind is SpanKind.SERVER
    assert span.start_time == 1_000
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes or {}) == {
        "rpc.system.name": "grpc",
        "rpc.method": INVOKE,
        "rpc.response.status_code": "OK",
        "mxgateway.correlation_id": "c1",
    }
    assert span.resource.attributes["service.name"] == "mxaccess-gateway"
    assert "mxgw_secret" not in span.to_json()


@pytest.mark.parametrize(
    ("code", "is_error"),
    [
        ("OK", False),
        ("NOT_FOUND", False),
        ("PERMISSION_DENIED", False),
        ("CANCELLED", False),
        ("RESOURCE_EXHAUSTED", False),
        ("UNKNOWN", True),
        ("DEADLINE_EXCEEDED", True),
        ("UNIMPLEMENTED", True),
        ("INTERNAL", True),
        ("UNAVAILABLE", True),
        ("DATA_LOSS", True),
    ],
)
async def test_a_code_is_an_error_where_it_is_the_servers(code: str, is_error: bool) -> None:
    rig = Rig()
    call = rig.spans.begin("", (), "c1", 1)
    assert call is not None
    call.end(code)
    span = (await rig.ended())["_OTHER"]
    told = dict(span.attributes or {})
    assert told["rpc.response.status_code"] == code
    assert told.get("error.type") == (code if is_error else None)
    assert (span.status.status_code is StatusCode.ERROR) is is_error


@pytest.mark.parametrize("header", ["", "00-nothing", f"00-{'0' * 32}-{PARENT}-01"])
async def test_a_header_that_is_none_begins_a_trace_of_its_own(header: str) -> None:
    rig = Rig()
    call = rig.spans.begin(INVOKE, [("traceparent", header)], "c1", 1)
    assert call is not None
    call.end("OK")
    trace, _, parent = ids((await rig.ended())[INVOKE])
    assert trace != int(TRACE, 16)
    assert parent == 0


async def test_two_headers_are_none() -> None:
    rig = Rig()
    header = ("traceparent", f"00-{TRACE}-{PARENT}-01")
    call = rig.spans.begin(INVOKE, [header, header], "c1", 1)
    assert call is not None
    assert call.facts["trace_id"] != TRACE
    await rig.spans.close()


async def test_who_does_not_record_is_not_recorded_and_the_ratio_decides_for_the_others() -> None:
    rig = Rig((0.3, 0.2), call_ratio=0.25)
    assert rig.spans.begin(INVOKE, [("traceparent", f"00-{TRACE}-{PARENT}-00")], "c1", 1) is None
    assert rig.spans.begin(INVOKE, (), "c1", 1) is None
    assert rig.spans.begin(INVOKE, (), "c1", 1) is not None
    # A caller that records decides for itself, without a chance taken.
    assert rig.spans.begin(INVOKE, [("traceparent", f"00-{TRACE}-{PARENT}-01")], "c1", 1) is not None
    await rig.spans.close()


async def test_messages_of_streams_are_chosen_by_their_ratio() -> None:
    rig = Rig((0.009, 0.01, 0.5), sample_ratio=0.01)
    call = rig.spans.begin(INVOKE, (), "c1", 1)
    assert call is not None
    assert [call.samples_batch() for _ in range(3)] == [True, False, False]
    await rig.spans.close()


def reply(code: Any = pb.PROTOCOL_STATUS_CODE_OK, hresult: int | None = 0) -> bytes:
    message = pb.MxCommandReply(
        protocol_status=pb.ProtocolStatus(code=code, message="Mixer.PV = seventeen"), hresult=hresult
    )
    message.diagnostic_message = "hunter2"
    return message.SerializeToString()


async def test_a_command_says_kind_session_times_and_hresult_and_no_value() -> None:
    rig = Rig()
    call = rig.spans.begin(INVOKE, (), "c1", 1)
    assert call is not None
    command = call.command(pb.MX_COMMAND_KIND_WRITE, "session-1", "c2")
    command.answered(reply(hresult=-2147024809), (0.25, 0.5), ("Mixer.PV",))
    call.end("OK")
    spans = await rig.ended()
    span = spans["WRITE"]
    assert ids(span)[::2] == ids(spans[INVOKE])[:2]
    assert dict(span.attributes or {}) == {
        "mxgateway.command.kind": "WRITE",
        "mxgateway.session_id": "session-1",
        "mxgateway.correlation_id": "c2",
        "mxgateway.queue_wait": 0.25,
        "mxgateway.worker_time": 0.5,
        "mxgateway.hresult": "0x80070057",
    }
    assert not any(word in span.to_json() for word in ("Mixer", "seventeen", "hunter2"))


async def test_a_command_that_failed_says_why_and_not_in_which_words() -> None:
    rig = Rig()
    call = rig.spans.begin(INVOKE, (), "c1", 1)
    assert call is not None
    call.command(pb.MX_COMMAND_KIND_WRITE, "s", "1").answered(reply(pb.PROTOCOL_STATUS_CODE_MXACCESS_FAILURE), None)
    call.command(pb.MX_COMMAND_KIND_PING, "s", "2").failed(CommandTimeoutError("hunter2"))
    call.command(4711, "s", "3").answered(b"\xff\xff", None)
    spans = await rig.ended()
    told = {name: dict(span.attributes or {}).get("error.type") for name, span in spans.items()}
    assert told == {"WRITE": "MXACCESS_FAILURE", "PING": CommandTimeoutError.reason, "other": None}
    assert {span.status.status_code for name, span in spans.items() if name != "other"} == {StatusCode.ERROR}
    assert not any("hunter2" in span.to_json() for span in spans.values())


async def test_tags_are_told_where_the_settings_say_so_and_not_thousands_of_them() -> None:
    rig = Rig(tags=True)
    call = rig.spans.begin(INVOKE, (), "c1", 1)
    assert call is not None
    names = [f"Tank{number}.PV" for number in range(1000)]
    call.command(pb.MX_COMMAND_KIND_WRITE, "s", "1").answered(reply(), None, names)
    told = dict((await rig.ended())["WRITE"].attributes or {})
    assert list(told["mxgateway.tags"]) == names[:MOST_TAGS]  # type: ignore[arg-type]
    assert told["mxgateway.tag_count"] == 1000


# ----------------------------------------------------------------------------------------------------- a dead collector


class Stubborn(SpanExporter):
    """Refuses, or hangs until it is shut down."""

    def __init__(self, hangs: bool) -> None:
        self.hangs = hangs
        self.asked = 0
        self.raises = False
        self._over = threading.Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked += 1
        if self.raises:
            raise OSError("hunter2")
        if self.hangs:
            self._over.wait()
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self._over.set()


@contextmanager
def outlet(exporter: SpanExporter, most: int) -> Iterator[tuple[SpanOutlet, Tally]]:
    counts = Tally()
    made = SpanOutlet(exporter, most, counts)
    try:
        yield made, counts
    finally:
        made.end(0.05)


SPAN: Any = object()


async def test_of_a_collector_that_hangs_the_queue_is_full_once_and_the_rest_is_counted() -> None:
    exporter = Stubborn(hangs=True)
    with outlet(exporter, BATCH_SPANS) as (made, counts):
        for _ in range(BATCH_SPANS):
            made.on_end(SPAN)
        await eventually(lambda: exporter.asked == 1)
        for _ in range(10 * BATCH_SPANS):
            made.on_end(SPAN)
        assert counts == {"dropped": 9 * BATCH_SPANS}
        assert exporter.asked == 1
    # What waited is lost with the gateway's end, and is counted, too; its end did not wait for the collector.
    assert counts == {"dropped": 10 * BATCH_SPANS, "failed": BATCH_SPANS}
    assert "trace-outlet" not in {each.name for each in threading.enumerate()}


async def test_a_collector_that_refuses_is_told_once_in_the_log_and_so_is_its_return() -> None:
    exporter = Stubborn(hangs=False)
    with structlog.testing.capture_logs() as lines, outlet(exporter, 10 * BATCH_SPANS) as (made, counts):
        for round_ in range(1, 4):
            exporter.raises = round_ == 2
            for _ in range(BATCH_SPANS):
                made.on_end(SPAN)
            await eventually(lambda wanted=round_ * BATCH_SPANS: counts["failed"] == wanted)
        exporter.export = lambda spans: SpanExportResult.SUCCESS  # type: ignore[method-assign]
        for _ in range(BATCH_SPANS):
            made.on_end(SPAN)
        await eventually(lambda: counts["exported"] == BATCH_SPANS)
    assert [line["event"] for line in lines] == ["traces_not_delivered", "traces_delivered_again"]
    assert "telemetry.endpoint" in lines[0]["remedy"]
    assert "hunter2" not in str(lines)
    assert counts["dropped"] == 0


# ----------------------------------------------------------------------------------------------------------- the switch


def test_with_it_off_nothing_of_opentelemetry_is_loaded() -> None:
    program = """
import sys
from contextlib import AsyncExitStack
import mxgateway_server.app, mxgateway_server.preflight, mxgateway_server.cli.surroundings
from mxgateway_server.config.settings import Settings
from mxgateway_server.counters import Tally
from mxgateway_server.telemetry.opening import open_tracing, require_tracing
settings = Settings()
assert open_tracing(settings.telemetry, Tally(), AsyncExitStack()) is None
require_tracing(settings.telemetry)
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=50)
    assert run.stdout.strip() == "[]"


async def test_a_missing_extra_is_told_by_setting_and_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_NEEDED", ("opentelemetry.sdk", "opentelemetry_of_tomorrow.sdk"))
    async with AsyncExitStack() as stack:
        assert opening.open_tracing(TelemetrySettings(), Tally(), stack) is None
        with pytest.raises(ConfigurationError, match=r"telemetry\.enabled needs opentelemetry_of_tomorrow.*otel"):
            opening.open_tracing(TelemetrySettings(enabled=True), Tally(), stack)


@pytest.mark.parametrize("text", [None, "no certificate at all"])
async def test_a_file_of_certificates_that_is_none_is_told_at_the_start(tmp_path: Any, text: str | None) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    wanted = TelemetrySettings(enabled=True, endpoint="https://collector:4317", ca_file=str(file))
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigurationError, match=r"telemetry\.ca_file"):
            opening.open_tracing(wanted, Tally(), stack)
