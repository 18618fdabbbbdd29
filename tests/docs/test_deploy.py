"""What lies in deploy/: alerts and dashboard ask for metrics that exist, and every alert says what to do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.code_blocks import ROOT
from tests.support.programs import installed

from mxgateway_server.operations.metric_table import METRICS

DEPLOY = ROOT / "deploy"
TABLE = {metric.name: metric for metric in METRICS}
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((DEPLOY / "grafana" / "mxgateway.json").read_text("utf-8"))
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
ALWAYS_THERE = {"job", "instance", "le"}
SUFFIXES = ("_bucket", "_count", "_sum")


def check(expression: str) -> None:
    """Every metric exists, with the labels that are asked for; a counter is asked for its growth."""
    for name in re.findall(r"\b((?:mxgateway|rpc_server)_\w+)", expression):
        metric = TABLE.get(name) or TABLE.get(
            next((name.removesuffix(each) for each in SUFFIXES if name.endswith(each)), "")
        )
        assert metric is not None, f"no metric {name}"
        for labels in re.findall(rf"{name}\{{([^}}]*)\}}", expression):
            asked = set(re.findall(r"(\w+)\s*[=!]", labels))
            assert asked <= {*metric.labels, *ALWAYS_THERE}, f"{name} has no {asked - set(metric.labels)}"
        if metric.kind == "counter":
            assert re.search(rf"(rate|increase)\({name}", expression), f"{name} never falls: ask for its growth"
    assert "session_id" not in expression


@pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])
def test_each_alert_asks_for_what_exists_and_says_what_to_do(rule: dict[str, Any]) -> None:
    check(rule["expr"])
    assert rule["labels"]["severity"] in ("warning", "critical")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs" / page).read_text("utf-8"), re.MULTILINE)
    assert (rule["alert"] in headings, rule["alert"].lower()) == (True, anchor)


@pytest.mark.parametrize("expression", QUERIES)
def test_the_dashboard_asks_for_what_exists(expression: str) -> None:
    check(expression)


def test_every_metric_that_an_operator_looks_at_is_on_the_dashboard() -> None:
    shown = set(re.findall(r"\b((?:mxgateway|rpc_server)_\w+?)(?:_bucket)?\{", "\n".join(QUERIES)))
    of_no_plot = {
        "mxgateway_build_info",
        "mxgateway_uptime_seconds",
        "mxgateway_events_received_bytes_total",
        "mxgateway_upgrades_total",
        "mxgateway_upgrades_refused_total",
    }
    assert {name for name in TABLE if name.endswith(("_total", "_seconds"))} - shown <= of_no_plot | {
        "mxgateway_sessions_opened_total",
        "mxgateway_commands_succeeded_total",
        "mxgateway_queues_overflows_total",
        "mxgateway_grpc_streams_disconnected_total",
        "mxgateway_retries_attempted_total",
        "mxgateway_audit_write_duration_seconds",
        "mxgateway_galaxy_last_deploy_timestamp_seconds",
        "mxgateway_tls_certificate_expiry_timestamp_seconds",
    }


QUIET = {
    'up{job="mxgateway"}': "1+0x70",
    'mxgateway_ready{check="all"}': "1+0x70",
    'mxgateway_workers_startup_duration_seconds_count{outcome="failed"}': "2+0x70",
    "mxgateway_workers_ready": "0+0x70",
    'mxgateway_faults_total{class="hung"}': "2+0x70",
    "mxgateway_sessions_open": "57+0x70",
    "mxgateway_sessions_limit": "64+0x70",
    "mxgateway_events_dropped_total": "9+0x70",
    "mxgateway_events_grpc_stream_queue_fullness": "0.4+0x70",
    'mxgateway_commands_duration_seconds_bucket{le="2.5"}': "0+100x70",
    'mxgateway_commands_duration_seconds_bucket{le="1"}': "0+100x70",
    'mxgateway_commands_duration_seconds_bucket{le="+Inf"}': "0+100x70",
    'mxgateway_commands_failed_total{outcome="timeout"}': "0+5x70",
    'mxgateway_event_loop_lag_seconds{quantile="0.99"}': "0.02+0x70",
    "mxgateway_audit_waiting": "900+0x70",
    "mxgateway_audit_lost_total": "3+0x70",
    "mxgateway_galaxy_age_seconds": "200+0x70",
    "mxgateway_tls_certificate_expiry_timestamp_seconds": "100000000+0x70",
    "mxgateway_auth_failures_total": "0+30x70",
    "mxgateway_config_last_reload_success": "1+0x70",
}
"""A gateway that is well, each figure near its limit: a value a minute for seventy minutes."""
LOUD = [
    ("GatewayDown", {'up{job="mxgateway"}': "1+0x68 0 0"}),
    ("NotReady", {'mxgateway_ready{check="all"}': "1+0x67 0 0 0"}),
    ("WorkersFail", {'mxgateway_workers_startup_duration_seconds_count{outcome="failed"}': "2+1x70"}),
    ("SessionFaults", {'mxgateway_faults_total{class="hung"}': "2+0x60 8+0x9"}),
    ("SessionsNearLimit", {"mxgateway_sessions_open": "58+0x70"}),
    ("EventsDropped", {"mxgateway_events_dropped_total": "9+1x70"}),
    ("StreamBacklog", {"mxgateway_events_grpc_stream_queue_fullness": "0.6+0x70"}),
    ("CommandsSlow", {'mxgateway_commands_duration_seconds_bucket{le="1"}': "0+90x70"}),
    ("CommandTimeouts", {'mxgateway_commands_failed_total{outcome="timeout"}': "0+7x70"}),
    ("LoopLag", {'mxgateway_event_loop_lag_seconds{quantile="0.99"}': "0.06+0x70"}),
    ("AuditNotStored", {"mxgateway_audit_waiting": "1001+0x70"}),
    ("AuditNotStored", {"mxgateway_audit_lost_total": "3+1x70"}),
    ("GalaxyStale", {"mxgateway_galaxy_age_seconds": "301+0x70"}),
    ("CertificateExpires", {"mxgateway_tls_certificate_expiry_timestamp_seconds": "1728000+0x70"}),
    ("AuthFailures", {"mxgateway_auth_failures_total": "0+61x70"}),
    ("ReloadFailed", {"mxgateway_config_last_reload_success": "1+0x69 0"}),
]


def test_prometheus_takes_the_alerts_and_each_is_raised_by_what_it_is_for_alone(tmp_path: Path) -> None:
    assert {name for name, _ in LOUD} == {rule["alert"] for rule in RULES}
    program = installed("promtool", "prometheus")

    def case(alert: str, changed: dict[str, str]) -> dict[str, Any]:
        # Two gateways: the other one is well, and an alert names the one that is not.
        given = {(series, "a"): changed.get(series, values) for series, values in QUIET.items()}
        given |= {(series, "b"): values for series, values in QUIET.items()}
        return {
            "interval": "1m",
            "name": alert or "quiet",
            "input_series": [{"series": named(*each), "values": values} for each, values in given.items()],
            "promql_expr_test": [
                {
                    "expr": 'count by (alertname, instance) (ALERTS{alertstate="firing"})',
                    "eval_time": "70m",
                    "exp_samples": [{"labels": f'{{alertname="{alert}", instance="a"}}', "value": 1}] if alert else [],
                }
            ],
        }

    cases = [case("", {}), *(case(alert, changed) for alert, changed in LOUD)]
    rules = str(DEPLOY / "prometheus" / "rules.yml")
    path = tmp_path / "alerts.json"
    # JSON is YAML, too.
    path.write_text(json.dumps({"rule_files": [rules], "tests": cases}), "utf-8")
    for command in (["check", "rules", rules], ["test", "rules", str(path)]):
        done = subprocess.run([program, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def named(series: str, instance: str) -> str:
    """A series as one of this gateway's."""
    name, _, labels = series.partition("{")
    own = [f'instance="{instance}"', *(() if "job=" in labels else ('job="mxgateway"',))]
    return f"{name}{{{', '.join([*own, *filter(None, [labels.removesuffix('}')])])}}}"


def test_the_container_is_nobody_is_asked_for_its_health_and_stops_in_order() -> None:
    text = (DEPLOY / "container" / "Containerfile").read_text("utf-8")
    lines = dict(line.split(" ", 1) for line in text.splitlines() if re.match(r"(USER|STOPSIGNAL|ENTRYPOINT) ", line))
    assert (lines["USER"], lines["STOPSIGNAL"]) == ("10001", "SIGTERM")
    assert json.loads(lines["ENTRYPOINT"]) == ["mxgateway", "serve"]
    assert 'CMD ["mxgateway", "health"]' in text
    from mxgateway_server.config.sources import load

    variables = dict(re.findall(r"(MXGATEWAY__\w+)=(\S+)", text))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        assert load(None, {}).logging.format == "json"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_the_offline_script_is_one_that_a_shell_takes() -> None:
    script = DEPLOY / "offline.sh"
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
    assert subprocess.run(["sh", str(script)], capture_output=True, check=False).returncode != 0
