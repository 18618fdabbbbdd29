"""What lies in deploy/: alerts and dashboard ask for metrics that exist, and every alert says what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
import yaml
from tests.support.code_blocks import ROOT

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
    of_no_plot = {"mxgateway_build_info", "mxgateway_uptime_seconds", "mxgateway_events_received_bytes_total"}
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


def test_prometheus_takes_the_alerts() -> None:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not on this machine")
    done = subprocess.run(
        [program, "check", "rules", str(DEPLOY / "prometheus" / "rules.yml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


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
