"""From figures to ratios, bars and the table in the documentation. Free of measuring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Figures = Mapping[str, Any]

BEGIN = "<!-- figures: begin (written by the benches) -->"
END = "<!-- figures: end -->"


def at(figures: Figures, path: str) -> float | None:
    """The number at a dotted path, or None when it was not measured."""
    value: Any = figures
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class Ratio:
    """One figure of ours over one of the same run.

    Attributes:
        bar: what it has to reach; 0 for none.
        most: whether the bar is an upper one.
    """

    name: str
    ours: str
    other: str
    bar: float = 0.0
    most: bool = False

    def of(self, figures: Figures) -> float | None:
        ours, other = at(figures, self.ours), at(figures, self.other)
        return None if ours is None or not other else round(ours / other, 3)


_CHAIN = "floor.chain"
_GRPC = "floor.grpc"

RATIOS = (
    Ratio("events / forwarding chain", "saturated.gateway.eventsPerSecond", "saturated.chain.eventsPerSecond", 0.6),
    Ratio(
        "events with fields read / forwarding chain",
        "events.batchesFieldsRead.eventsPerSecond",
        f"{_CHAIN}.eventsPerSecond.batch500FieldsRead",
    ),
    Ratio("events / asyncua", "saturated.gateway.eventsPerSecond", "saturated.asyncua.eventsPerSecond", 12.0),
    Ratio("events one by one / asyncua", "events.oneByOne.eventsPerSecond", "saturated.asyncua.eventsPerSecond"),
    Ratio(
        "events, a message each / bare gRPC",
        "events.singleMessages.eventsPerSecond",
        f"{_GRPC}.eventsPerSecond.single",
    ),
    Ratio(
        "unary p50 / forwarding chain p50",
        "transports.invoke.sequential.latencyMs.p50",
        "transports.chain.sequential.latencyMs.p50",
    ),
    Ratio(
        "unary 50 in flight / forwarding chain",
        "transports.invoke.inFlight50.callsPerSecond",
        "transports.chain.inFlight50.callsPerSecond",
        0.75,
    ),
    Ratio(
        "unary 50 in flight / bare gRPC",
        "transports.invoke.inFlight50.callsPerSecond",
        f"{_GRPC}.unaryInFlight50.callsPerSecond",
    ),
    Ratio("unary read of 6 / asyncua", "commands.unaryRead6.callsPerSecond", "asyncua.read6.callsPerSecond"),
    Ratio(
        "unary read of 100 / asyncua",
        "reads.unary.sequential.callsPerSecond",
        "reads.asyncua.sequential.callsPerSecond",
    ),
    Ratio(
        "read of 100 / asyncua",
        "reads.gateway.sequential.callsPerSecond",
        "reads.asyncua.sequential.callsPerSecond",
        3.0,
    ),
    Ratio(
        "command stream p50 / unary p50",
        "transports.commandStream.sequential.latencyMs.p50",
        "transports.unary.sequential.latencyMs.p50",
        0.7,
        most=True,
    ),
    Ratio(
        "command stream 50 in flight / unary 50 in flight",
        "transports.commandStream.inFlight50.callsPerSecond",
        "transports.unary.inFlight50.callsPerSecond",
        4.0,
    ),
    Ratio(
        "calls beside ten readers of the dashboard / without", "dashboard.calls.with", "dashboard.calls.without", 0.98
    ),
    Ratio(
        "events beside ten readers of the dashboard / without",
        "dashboard.events.with",
        "dashboard.events.without",
        0.98,
    ),
    Ratio("alarms to 50 streams, cores / bare gRPC", "alarms.oneFilter.cores", "alarms.floor.cores"),
    Ratio("memory of a stream of alarms / bare gRPC", "alarms.list.kibPerStream", "alarms.floor.kibPerStream"),
    Ratio("history of alarms / bare SQLite", "alarms.history.changesPerSecond", "alarms.history.floorPerSecond"),
    Ratio(
        "first answer of an alarm manager / bare parser", "alarms.poll.firstSeconds", "alarms.poll.firstFloorSeconds"
    ),
    Ratio("a changed answer / cutting both", "alarms.poll.changedMs", "alarms.poll.changedFloorMs"),
)

LIMITS: tuple[tuple[str, str, float], ...] = (
    ("event latency at 1,000/s, p50 ms", "latency.1k.latencyMs.p50", 1.5),
    ("OpenSession with a ready worker, p50 ms", "openWarm.latencyMs.p50", 10.0),
    ("to know the caller of a call, µs", "access.knownKeyMicroseconds", 20.0),
    ("a write until another session sees it, p99 ms", "others.seenMs.p99", 100.0),
    ("an idle session's worker, ms of CPU a second", "idle.workerCpuMsPerSecond", 0.5),
    ("an idle session's share of the gateway, ms of CPU a second", "idle.gatewayCpuMsPerSecond", 0.1),
    ("unique memory of a worker, MiB", "memory.workerUniqueMiB", 20.0),
    ("unique memory of a worker among many, MiB", "sessions.workerUniqueMiB.max", 20.0),
    ("lost sequences among many sessions", "sessions.lostSequences", 0.0),
    ("event-loop lag of the gateway among many sessions, p99 ms", "sessions.eventLoopLagMs.p99", 50.0),
    ("a ping among 500 sessions, p99 ms", "crowd.pingMs.p99", 50.0),
    ("lost sequences among 500 sessions", "crowd.lostSequences", 0.0),
    ("a restart of the gateway until a subscription goes on, s", "restart.resumeSeconds", 3.0),
    ("a scrape of the metrics at 64 sessions, ms", "operations.scrapeMilliseconds", 20.0),
    ("a scrape over HTTP with 64 sessions open, ms", "dashboard.scrape.milliseconds", 20.0),
    ("a sample of 64 sessions for the dashboard, p99 ms of CPU", "dashboard.sampleMs.64", 3.0),
    ("a sample of 500 sessions for the dashboard, p99 ms of CPU", "dashboard.sampleMs.500", 10.0),
    ("ten pages of a browser, share of a core", "dashboard.cores.tenPagesOfABrowser", 0.01),
    ("100 streams of the dashboard, share of a core", "dashboard.cores.hundredStreams", 0.01),
    ("a page of the dashboard, from nothing until it is there, s", "dashboard.page.coldSeconds", 1.0),
    ("from one page of the dashboard to the next, s", "dashboard.page.nextSeconds", 0.3),
    ("500 sessions in a list, until they are sorted anew, ms", "dashboard.page.manySessions.sortMs", 100.0),
    ("500 sessions in a list, until they are filtered, ms", "dashboard.page.manySessions.filterMs", 100.0),
    ("a diagnostics bundle with 64 sessions open, s", "dashboard.bundle.seconds", 10.0),
    ("the longest answer to others while a bundle is made, ms", "dashboard.bundle.longestAnswerMs", 20.0),
    ("event-loop lag of 64 sessions with 200 tags beside ten pages, p99 ms more", "dashboard.lag.addedMs", 1.0),
    ("the gateway's start with the dashboard, s of CPU more", "dashboard.start.addedCpuSeconds", 0.3),
    ("ten pages open for an hour of frames: the heap of one grows by, MiB", "tabs.heapGrowthMiB", 3.0),
    ("the same, the gateway, MiB", "tabs.gatewayGrowthMiB", 3.0),
    ("to raise a counter on the way of a call, ns", "operations.counterNanoseconds", 100.0),
    ("10,000 alarm changes/s to 50 streams, cores of the gateway", "alarms.oneFilter.cores", 0.6),
    ("the same with ten filters, cores of the gateway", "alarms.tenFilters.cores", 1.0),
    ("holes in alarm streams", "alarms.oneFilter.gaps", 0.0),
    ("holes in alarm streams of ten filters", "alarms.tenFilters.gaps", 0.0),
    ("alarm latency at 1,000/s, p50 ms", "alarms.calm.latencyMs.p50", 15.0),
    ("alarm latency at 1,000/s, p99 ms", "alarms.calm.latencyMs.p99", 60.0),
    ("alarm latency at 10,000/s, p99 ms", "alarms.oneFilter.latencyMs.p99", 150.0),
    ("first of a list of 20,000 alarms, ms", "alarms.list.firstMs", 50.0),
    ("a list of 20,000 alarms, ms", "alarms.list.wholeMs", 400.0),
    ("50 such lists at once, s", "alarms.list.allStreamsSeconds", 5.0),
    ("the gateway's memory of an active alarm, KiB", "alarms.list.kibPerAlarm", 1.5),
    ("changes told after a failover and back", "alarms.failover.switchChanges", 0.0),
    ("a lost alarm worker until the list is live, s", "alarms.failover.reopenSeconds", 5.0),
    ("changes told after a lost alarm worker", "alarms.failover.reopenChanges", 0.0),
    ("alarms that vanished with it", "alarms.failover.missingAfter", 0.0),
    ("memory of the log of changes over its bound", "alarms.ring.overBound", 1.2),
    ("the gateway's memory of a stream of alarms, KiB", "alarms.list.kibPerStream", 30.0),
    ("alarm changes lost to the history at 10,000/s", "alarms.oneFilter.historyLost", 0.0),
    ("holes in streams of single alarm messages", "alarms.single.gaps", 0.0),
    ("history of alarms, µs a change", "alarms.history.microsecondsPerChange", 1e6 / 15_000),
    ("history of alarms, first page of an area, p95 ms", "alarms.history.firstPageMs.p95", 100.0),
    ("a change in the figures of alarms, µs", "alarms.history.figuresMicrosecondsPerChange", 3.0),
    ("the figures of a day out of the history, s", "alarms.history.reloadSeconds", 2.0),
    ("first answer of an alarm manager, 20,000 records, s", "alarms.poll.firstSeconds", 0.6),
    ("an answer of 20,000 records of which 50 changed, ms", "alarms.poll.changedMs", 30.0),
    ("a worker of 20,000 alarms until its list is there, s", "alarms.plant.readySeconds", 3.0),
    ("a worker of 20,000 alarms, cores at 20 changes/s", "alarms.plant.workerCores", 0.05),
    ("to acknowledge an alarm and see it, p50 ms over the poll", "alarms.plant.acknowledgeOverPollMs", 30.0),
    ("to acknowledge 1,000 alarms at once, s", "alarms.plant.bulkSeconds", 5.0),
    ("to fail over to 1,000 watched alarms, s", "alarms.plant.failoverSeconds", 4.0),
    ("a killed worker of 20,000 alarms until the list is live, s", "alarms.plant.reopenSeconds", 5.0),
    ("a change in the client's feed, µs", "alarms.client.microsecondsPerChange", 20.0),
)
"""Name, path, and the most that it may be."""


def ratios(figures: Figures) -> dict[str, float]:
    """Every ratio whose two figures were measured."""
    return {ratio.name: value for ratio in RATIOS if (value := ratio.of(figures)) is not None}


def bars(figures: Figures) -> dict[str, dict[str, Any]]:
    """Every bar whose figure was measured: the value, the bar, and whether it holds."""
    found: dict[str, dict[str, Any]] = {}
    for ratio in RATIOS:
        value = ratio.of(figures)
        if ratio.bar and value is not None:
            holds = value <= ratio.bar if ratio.most else value >= ratio.bar
            found[ratio.name] = {"value": value, "most" if ratio.most else "least": ratio.bar, "holds": holds}
    for name, path, most in LIMITS:
        value = at(figures, path)
        if value is not None:
            found[name] = {"value": value, "most": most, "holds": value <= most}
    return found


# ------------------------------------------------------------------------------------------------- documentation


def _rate(value: float | None) -> str:
    if value is None:
        return "–"
    if value >= 10_000:
        return f"{value / 1000:,.0f} k"
    return f"{value:,.0f}"


def _latency(figures: Figures, path: str) -> str:
    p50, p99 = at(figures, f"{path}.p50"), at(figures, f"{path}.p99")
    return "–" if p50 is None or p99 is None else f"{p50:.2f} / {p99:.2f}"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"


def _cores(figures: Figures, path: str) -> str:
    value = at(figures, path)
    return "–" if value is None else f"{value:.2f}"


_Cell = Callable[[Figures], str]


def _rates(path: str) -> _Cell:
    return lambda figures: _rate(at(figures, path))


def _latencies(path: str) -> _Cell:
    return lambda figures: _latency(figures, path)


def _number(path: str) -> _Cell:
    return lambda figures: _plain(at(figures, path))


def _none(_: Figures) -> str:
    return ""


_COLUMNS = ("what", "this gateway", "forwarding chain", "bare gRPC", "asyncua")
_ROWS: tuple[tuple[str, _Cell, _Cell, _Cell, _Cell], ...] = (
    (
        "events/s, every event decoded",
        _rates("saturated.gateway.eventsPerSecond"),
        _rates("saturated.chain.eventsPerSecond"),
        _none,
        _rates("saturated.asyncua.eventsPerSecond"),
    ),
    (
        "events/s, fields read too",
        _rates("events.batchesFieldsRead.eventsPerSecond"),
        _rates(f"{_CHAIN}.eventsPerSecond.batch500FieldsRead"),
        _none,
        _none,
    ),
    ("events/s, `async for` event by event", _rates("events.oneByOne.eventsPerSecond"), _none, _none, _none),
    (
        "events/s, a gRPC message each (`StreamEvents`)",
        _rates("events.singleMessages.eventsPerSecond"),
        _none,
        _rates(f"{_GRPC}.eventsPerSecond.single"),
        _none,
    ),
    ("event latency at 1,000/s, p50 / p99 ms", _latencies("latency.1k.latencyMs"), _none, _none, _none),
    ("event latency at 20,000/s, p50 / p99 ms", _latencies("latency.20k.latencyMs"), _none, _none, _none),
    ("event latency at 100,000/s, p50 / p99 ms", _latencies("latency.100k.latencyMs"), _none, _none, _none),
    (
        "unary call, p50 / p99 ms",
        _latencies("transports.invoke.sequential.latencyMs"),
        _latencies("transports.chain.sequential.latencyMs"),
        _latencies(f"{_GRPC}.unarySequential.latencyMs"),
        _none,
    ),
    (
        "unary calls/s, 50 in flight",
        _rates("transports.invoke.inFlight50.callsPerSecond"),
        _rates("transports.chain.inFlight50.callsPerSecond"),
        _rates(f"{_GRPC}.unaryInFlight50.callsPerSecond"),
        _none,
    ),
    (
        "read of 6 advised tags, calls/s",
        _rates("commands.read6.callsPerSecond"),
        _none,
        _none,
        _rates("asyncua.read6.callsPerSecond"),
    ),
    (
        "read of 6, 50 in flight, calls/s",
        _rates("commands.read6InFlight50.callsPerSecond"),
        _none,
        _none,
        _rates("asyncua.read6InFlight50.callsPerSecond"),
    ),
    (
        "read of 100 advised tags, calls/s",
        _rates("reads.gateway.sequential.callsPerSecond"),
        _none,
        _none,
        _rates("reads.asyncua.sequential.callsPerSecond"),
    ),
    (
        "call through the client library, p50 / p99 ms",
        _latencies("transports.commandStream.sequential.latencyMs"),
        _none,
        _none,
        _none,
    ),
    (
        "the same, 50 in flight, calls/s",
        _rates("transports.commandStream.inFlight50.callsPerSecond"),
        _none,
        _none,
        _none,
    ),
    ("OpenSession, ready worker, p50 / p99 ms", _latencies("openWarm.latencyMs"), _none, _none, _none),
    ("OpenSession, new worker, p50 / p99 ms", _latencies("openCold.latencyMs"), _none, _none, _none),
    ("to know the caller of a call, µs", _number("access.knownKeyMicroseconds"), _none, _none, _none),
    (
        "10,000 alarm changes/s to 50 streams, cores",
        lambda figures: _cores(figures, "alarms.oneFilter.cores"),
        _none,
        lambda figures: _cores(figures, "alarms.floor.cores"),
        _none,
    ),
    (
        "alarm latency at 10,000/s, p50 / p99 ms",
        _latencies("alarms.oneFilter.latencyMs"),
        _none,
        _none,
        _none,
    ),
    ("unique memory of a worker, MiB", _number("memory.workerUniqueMiB"), _none, _none, _none),
)


def table(figures: Figures) -> str:
    """What was measured, as Markdown."""
    machine = figures["machine"]
    lines = [
        f"{machine['cores']} cores, {machine['memoryGiB']} GiB, {machine['system']}, Python {machine['python']}, "
        f"grpcio {machine['versions']['grpcio']}, load average {machine['loadAverage']} before the run, "
        f"{figures['secondsPerFigure']:g} s for each figure; client, gateway and workers on the same machine, no TLS.",
        "",
        "| " + " | ".join(_COLUMNS) + " |",
        "|" + "---|" * len(_COLUMNS),
    ]
    for name, *cells in _ROWS:
        texts = [cell(figures) for cell in cells]
        if texts[0] != "–":
            lines.append(f"| {name} | " + " | ".join(texts) + " |")
    sessions = figures.get("sessions")
    if sessions:
        lines += [
            "",
            f"{sessions['sessions']} sessions with {sessions['tagsPerSession']} tags each for "
            f"{sessions['seconds']:g} s: {sessions['eventsPerSecond']:,} events/s, "
            f"{sessions['lostSequences']} lost, {len(sessions['faults'])} faults; the gateway's event loop is "
            f"{_latency(figures, 'sessions.eventLoopLagMs')} ms late and answers a health check in "
            f"{_latency(figures, 'sessions.gatewayAnswersMs')} ms (p50 / p99); a worker has "
            f"{sessions['workerUniqueMiB']['max']} MiB of its own, the gateway "
            f"{sessions['gatewayMiBPerSession']} MiB more for each session.",
        ]
    held = bars(figures)
    if held:
        lines += ["", "| ratio or limit | measured | wanted | holds |", "|---|---|---|---|"]
        for name, bar in held.items():
            wanted = f"≤ {bar['most']:g}" if "most" in bar else f"≥ {bar['least']:g}"
            lines.append(f"| {name} | {bar['value']:g} | {wanted} | {'yes' if bar['holds'] else 'no'} |")
    return "\n".join(lines)


def write_docs(figures: Figures, page: Path) -> None:
    """Puts the table between its two marks.

    Raises:
        ValueError: the page has no marks.
    """
    place(table(figures), page, BEGIN, END)


def place(written: str, page: Path, begin: str, end: str) -> None:
    """Puts a text between two marks of a page.

    Raises:
        ValueError: the page has no marks.
    """
    text = page.read_text(encoding="utf-8")
    before, has_begin, rest = text.partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        raise ValueError(f"{page} has no place for the figures; write the lines {begin} and {end} where they belong")
    page.write_text(f"{before}{begin}\n\n{written}\n\n{end}{after}", encoding="utf-8")
