"""`/metrics` of a whole gateway: numbers that are right, labels that are few, and nobody reads them who may not."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from tests.support.alarm_gateway import alarm_gateway
from tests.support.alarm_link import ScriptedLink
from tests.support.gateway import LiveGateway, create_key, fake_settings, live_gateway
from tests.support.http import fetch

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.config.settings import Settings
from mxgateway_server.operations.metric_table import METRICS

PROXIED = {"x-forwarded-for": "10.0.0.9"}


def settings(state: Path, **flags: Any) -> Settings:
    return fake_settings(
        state, operations__enabled=True, operations__listen="", operations__listen_plaintext="127.0.0.1:0", **flags
    )


async def numbers(gateway: LiveGateway) -> dict[str, float]:
    answer = await fetch(f"{gateway.running.urls[0]}/metrics")
    assert answer.status == 200
    found = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def test_what_happens_is_counted_and_nothing_of_it_is_named(tmp_path: Path) -> None:
    async with live_gateway(settings(tmp_path)) as gateway:
        await gateway.perform("watch-health")
        session = await gateway.open(client_session_name="night shift")
        stream = gateway.stub.StreamEvents(pb.StreamEventsRequest(session_id=session), metadata=gateway.auth)
        await stream.initial_metadata()
        await gateway.invoke(session, "ADD_ITEM", server_handle=1, item_definition="Tank.Level")
        await gateway.ping(session, "emit 3")
        for _ in range(3):
            await stream.read()
        found = await numbers(gateway)
        assert found["mxgateway_sessions_open"] == 1
        assert found["mxgateway_commands_started_total{kind=ping}"] == 1
        assert found["mxgateway_commands_succeeded_total{kind=add_item}"] == 1
        assert found["mxgateway_commands_duration_seconds_count{group=com}"] == 1
        assert found["mxgateway_events_received_total"] == found["mxgateway_events_delivered_total"] == 3
        assert found["mxgateway_events_stream_send_duration_seconds_count"] >= 1
        assert found["mxgateway_ready{check=all}"] == found["mxgateway_ready{check=store}"] == 1
        opened = "rpc_method=mxaccess_gateway.v1.MxAccessGateway/OpenSession"
        assert found[f"rpc_server_call_duration_seconds_count{{{opened}}}"] == 1
        assert found[f"mxgateway_rpc_calls_total{{code=OK,{opened}}}"] == 1
        text = (await fetch(f"{gateway.running.urls[0]}/metrics")).body.decode()
        for hidden in (session, "night shift", "Tank.Level", "tester", gateway.key):
            assert hidden not in text
        await gateway.close(session)
        after = await numbers(gateway)
        assert after["mxgateway_sessions_closed_total{reason=client-close}"] == 1
        assert after["mxgateway_events_received_total"] == 3
        fallen = {name for name, value in found.items() if "_total" in name and after.get(name, 0) < value}
        assert not fallen, "what is counted never falls"


async def test_every_metric_of_the_table_is_there_in_both_forms(tmp_path: Path) -> None:
    async with live_gateway(settings(tmp_path)) as gateway:
        url = f"{gateway.running.urls[0]}/metrics"
        text = (await fetch(url)).body.decode()
        for metric in METRICS:
            assert re.search(rf"^# TYPE {metric.name} {metric.kind}$", text, re.MULTILINE), metric.name
        answer = await fetch(url, headers={"accept": "application/openmetrics-text; version=1.0.0"})
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        assert answer.body.endswith(b"# EOF\n")
        assert b"process_resident_memory_bytes" in answer.body
        assert b"python_gc_collections_total" in answer.body


async def test_alarms_are_counted_by_band_and_the_slowest_stream_shows(tmp_path: Path) -> None:
    link = ScriptedLink()
    link.happen(0, "on")
    flags = {"operations__enabled": True, "operations__listen": "", "operations__listen_plaintext": "127.0.0.1:0"}
    async with alarm_gateway(tmp_path, link, **flags) as gateway:
        found = await numbers(gateway)
        assert found["mxgateway_alarms_listed{band=1-249,state=unack_alm}"] == 1
        assert found["mxgateway_alarms_listed{band=500-999,state=unack_alm}"] == 0
        assert found["mxgateway_alarms_changes_total{band=1-249,kind=raise}"] == 0
        assert found["mxgateway_alarms_log_lag"] == 0
        switches = {name: value for name, value in found.items() if "provider_switches" in name}
        assert switches == {"mxgateway_alarms_provider_switches_total{from=none,reason=started,to=alarmmgr}": 1}


async def test_who_is_not_on_this_machine_needs_a_key_that_may(tmp_path: Path) -> None:
    given = settings(tmp_path, metrics__listen_plaintext="127.0.0.1:0")
    reader = await create_key(given, "prometheus", ["metadata:read"])
    writer = await create_key(given, "writer", ["invoke:write"])
    async with live_gateway(given) as gateway:
        main, plain = gateway.running.urls
        for url in (main, plain):
            assert (await fetch(f"{url}/metrics")).status == 200
            refused = await fetch(f"{url}/metrics", headers=PROXIED)
            assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
            for key, status in ((reader, 200), (writer, 401), ("mxgw_nobody_x", 401)):
                answer = await fetch(f"{url}/metrics", headers={**PROXIED, "authorization": f"Bearer {key}"})
                assert answer.status == status


async def test_open_metrics_ask_for_nothing_and_metrics_that_are_off_are_not_there(tmp_path: Path) -> None:
    for folder in ("open", "off"):
        (tmp_path / folder).mkdir(mode=0o700)
    async with live_gateway(settings(tmp_path / "open", metrics__access="open")) as gateway:
        assert (await fetch(f"{gateway.running.urls[0]}/metrics", headers=PROXIED)).status == 200
    async with live_gateway(settings(tmp_path / "off", metrics__enabled=False)) as gateway:
        assert (await fetch(f"{gateway.running.urls[0]}/metrics")).status == 404
        assert (await fetch(f"{gateway.running.urls[0]}/health/live")).status == 200


async def test_ten_who_scrape_at_once_get_all_of_it_and_the_end_leaves_nobody_waiting(tmp_path: Path) -> None:
    """Each in its own form; of those who ask while the gateway ends each has an answer or a closed connection."""
    open_form = {"accept": "application/openmetrics-text; version=1.0.0"}
    async with live_gateway(settings(tmp_path)) as gateway:
        url = f"{gateway.running.urls[0]}/metrics"

        async def scrape(number: int) -> Any:
            return await fetch(url, headers=open_form if number % 2 else {})

        answers = await asyncio.gather(*map(scrape, range(10)))
        assert [answer.status for answer in answers] == [200] * 10
        for form, ends in ((0, b"\n"), (1, b"# EOF\n")):
            mine = answers[form::2]
            assert all(answer.body.endswith(ends) for answer in mine)
            assert len({answer.body.count(b"# TYPE ") for answer in mine}) == 1
        asking = [asyncio.create_task(scrape(number)) for number in range(10)]
        gateway.gateway.request_stop()
        await gateway.task
        async with asyncio.timeout(20):
            ended = await asyncio.gather(*asking, return_exceptions=True)
        kinds = {each.status if not isinstance(each, BaseException) else type(each) for each in ended}
        # Nothing at all is an answer without a first line.
        over = (OSError, IndexError)
        assert all(kind in (200, 503) or (isinstance(kind, type) and issubclass(kind, over)) for kind in kinds), kinds
