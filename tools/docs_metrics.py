"""The metrics page and the Grafana dashboard, from the table of metrics."""

from __future__ import annotations

import json
from typing import Any

_HEAD = """# Metrics

<!-- Made from mxgateway_server.operations.metric_table by python tools/generate_docs.py; do not edit. -->

`/metrics` of the [HTTP listener](configuration.md#operations), in Prometheus' text or as OpenMetrics. From this machine
nobody needs a key; from others a key with the scope `metadata:read` goes with it as bearer token, or `metrics.access =
"open"` lets in everybody who gets there. Labels are words of closed sets: no metric names a session, a tag, an address,
or what a client chose. Counters never fall while the gateway runs, and begin at 0 with it. `process_*` and
`python_gc_*` of the gateway's own process stand beside these.

```yaml title="prometheus.yml"
scrape_configs:
  - job_name: mxgateway
    scheme: https
    tls_config: {ca_file: gateway-ca.pem}
    static_configs: [{targets: ["localhost:5002"]}]
rule_files: [rules.yml]
```

Alerts are in `deploy/prometheus/rules.yml`, each with what to do in [Operate](operate.md#alerts); a dashboard for
Grafana is `deploy/grafana/mxgateway.json`.

| metric | type | labels | meaning |
|---|---|---|---|
"""


def metrics_page() -> str:
    """`docs/metrics.md`."""
    from mxgateway_server.operations.metric_table import METRICS

    rows = []
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "–"
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.text} |")
    return _HEAD + "\n".join(rows) + "\n"


_ROWS: tuple[tuple[str, tuple[tuple[str, str, tuple[str, ...]], ...]], ...] = (
    (
        "State",
        (
            ("Ready, by check", "short", ("ready",)),
            ("Sessions", "short", ("sessions_open", "sessions_limit")),
            ("Sessions over, by reason", "ops", ("sessions_closed_total",)),
            ("Faults, by reason", "ops", ("faults_total",)),
        ),
    ),
    (
        "Workers",
        (
            ("Workers", "short", ("workers_running", "workers_ready", "workers_starting")),
            ("Memory of workers", "bytes", ("worker_memory_bytes",)),
            ("Processor time of workers", "percentunit", ("worker_cpu_seconds_total",)),
            ("Start to ready", "s", ("workers_startup_duration_seconds",)),
            (
                "Hung, ended by force, exits",
                "ops",
                ("heartbeats_failed_total", "workers_killed_total", "workers_exited_total"),
            ),
        ),
    ),
    (
        "Commands",
        (
            ("Commands, by kind", "ops", ("commands_started_total",)),
            ("Failures, by kind and outcome", "ops", ("commands_failed_total",)),
            ("From gateway to worker and back", "s", ("commands_duration_seconds",)),
            ("Under way", "short", ("commands_in_flight",)),
        ),
    ),
    (
        "Events",
        (
            ("Events", "ops", ("events_received_total", "events_delivered_total")),
            ("Lost, by where", "ops", ("events_dropped_total",)),
            ("Waiting", "short", ("events_worker_queue_depth", "events_grpc_stream_queue_depth")),
            ("Fullest stream", "percentunit", ("events_grpc_stream_queue_fullness",)),
            ("Sending one message", "s", ("events_stream_send_duration_seconds",)),
            ("Streams, by method", "short", ("grpc_streams_open",)),
        ),
    ),
    (
        "Calls and keys",
        (
            ("Calls, by method and code", "ops", ("rpc_calls_total",)),
            ("Unary calls", "s", ("rpc_server_call_duration_seconds",)),
            ("Refused keys and denials", "ops", ("auth_failures_total", "auth_denied_total")),
            ("Audit", "short", ("audit_waiting", "audit_lost_total")),
        ),
    ),
    (
        "Alarms",
        (
            ("Alarms, by state and band", "short", ("alarms_listed",)),
            ("Changes, by kind and band", "ops", ("alarms_changes_total",)),
            ("Streams, and what the slowest has not got", "short", ("alarms_streams", "alarms_log_lag")),
            ("Came up in ten minutes, by position", "short", ("alarms_rate", "alarms_flood")),
            (
                "Uncertain, manager avoided, workers anew, providers switched",
                "short",
                (
                    "alarms_uncertain",
                    "alarms_manager_avoided",
                    "alarms_workers_reopened_total",
                    "alarms_provider_switches_total",
                ),
            ),
            ("Question to the alarm manager", "s", ("alarms_poll_seconds",)),
            ("History: waiting, lost", "short", ("alarms_history_waiting", "alarms_history_lost_total")),
        ),
    ),
    (
        "Galaxy and gateway",
        (
            ("Galaxy, by state", "short", ("galaxy_status",)),
            ("Since the last look", "s", ("galaxy_age_seconds",)),
            ("Event loop's lag", "s", ("event_loop_lag_seconds",)),
            ("Log, by level", "ops", ("log_records_total", "log_records_dropped_total")),
            ("Traces", "ops", ("trace_spans_total",)),
        ),
    ),
)


def grafana_dashboard() -> str:
    """`deploy/grafana/mxgateway.json`."""
    from mxgateway_server.operations.metric_table import METRICS

    table = {metric.name: metric for metric in METRICS}
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in _ROWS:
        panels.append(_panel(len(panels), title, "row", {"h": 1, "w": 24, "x": 0, "y": y}))
        y += 1
        for index, (name, unit, metrics) in enumerate(row):
            place = {"h": 8, "w": 8, "x": 8 * (index % 3), "y": y + 8 * (index // 3)}
            panel = _panel(len(panels), name, "timeseries", place)
            panel["datasource"] = {"type": "prometheus", "uid": "${datasource}"}
            panel["fieldConfig"] = {"defaults": {"unit": unit}, "overrides": []}
            found = [_full(each, table) for each in metrics]
            panel["targets"] = [target for each in found for target in _targets(table[each])]
            panels.append(panel)
        y += 8 * ((len(row) + 2) // 3)
    dashboard = {
        "title": "MXAccess gateway",
        "uid": "mxaccess-gateway",
        "editable": True,
        "refresh": "10s",
        "schemaVersion": 39,
        "tags": ["mxaccess-gateway"],
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": panels,
    }
    return json.dumps(dashboard, indent=1) + "\n"


def _full(name: str, table: dict[str, Any]) -> str:
    return name if name in table else f"mxgateway_{name}"


def _panel(number: int, title: str, kind: str, place: dict[str, int]) -> dict[str, Any]:
    return {"id": number + 1, "title": title, "type": kind, "gridPos": place}


_WHERE = '{job=~"$job",instance=~"$instance"}'


def _targets(metric: Any) -> list[dict[str, Any]]:
    by = ", ".join(metric.labels)
    legend = " ".join(f"{{{{{label}}}}}" for label in metric.labels) or metric.name.removeprefix("mxgateway_")
    if metric.kind == "histogram":
        groups = ", ".join(("le", *metric.labels))
        rate = f"sum by ({groups}) (rate({metric.name}_bucket{_WHERE}[$__rate_interval]))"
        return [
            {"expr": f"histogram_quantile({share}, {rate})", "legendFormat": f"p{name} {legend}".strip(), "refId": name}
            for share, name in ((0.5, "50"), (0.99, "99"))
        ]
    value = f"{metric.name}{_WHERE}"
    if metric.kind == "counter":
        value = f"rate({value}[$__rate_interval])"
    expression = f"sum by ({by}) ({value})" if by else f"sum({value})"
    return [{"expr": expression, "legendFormat": legend, "refId": metric.name}]


def _variables() -> list[dict[str, Any]]:
    query = {"job": "label_values(mxgateway_build_info, job)"}
    query["instance"] = 'label_values(mxgateway_build_info{job=~"$job"}, instance)'
    chosen = [
        {
            "name": name,
            "type": "query",
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "query": text,
            "refresh": 2,
            "multi": True,
            "includeAll": True,
            "current": {"text": "All", "value": "$__all"},
        }
        for name, text in query.items()
    ]
    return [{"name": "datasource", "type": "datasource", "query": "prometheus"}, *chosen]
