"""From settings to what the parts are made with: every setting reaches the part that it is for."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from tests.support.certificates import earlier_pair
from tests.support.gateway import fake_settings

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server import places, wiring
from mxgateway_server.certificates.automatic import AutomaticCertificate
from mxgateway_server.config.sources import load
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.galaxy.place import GalaxyPlace

FILE = GalaxyPlace(source="/g/plant.db", name="plant", file=Path("/g/plant.db"), board=Path("/g/plant.board.db"))
SERVER = GalaxyPlace(source="mssql+pytds://sql/ZB", name="mssql+pytds")


def test_files_without_a_setting_of_their_own_lie_in_the_state_directory(tmp_path: Path) -> None:
    settings = fake_settings(tmp_path)
    assert places.in_state(settings, "", "pepper") == tmp_path / "pepper"
    assert places.in_state(settings, "/etc/gateway/pepper", "pepper") == Path("/etc/gateway/pepper")
    assert places.key_store(settings) == str(tmp_path / "keys.db")
    assert wiring.snapshot_path(settings) == tmp_path / "galaxy-snapshot.jsonl.gz"
    assert wiring.snapshot_path(fake_settings(tmp_path, galaxy__persist_snapshot=False)) is None
    url = "postgresql+asyncpg://db/keys"
    assert places.key_store(fake_settings(tmp_path, authentication__database=url)) == url


def test_a_certificate_is_for_the_endpoint_with_tls_only(tmp_path: Path) -> None:
    assert wiring.certificate_source(fake_settings(tmp_path)) is None
    source = wiring.certificate_source(
        fake_settings(tmp_path, listen="localhost:0", tls__additional_dns_names=("plant-gw",))
    )
    assert isinstance(source, AutomaticCertificate)
    made = source.load(datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC))
    assert made.ca_file == tmp_path / "certs" / "gateway-ca.pem"
    assert "plant-gw" in made.names


def test_the_operators_files_come_before_the_gateways_own(tmp_path: Path) -> None:
    earlier_pair(tmp_path, datetime.datetime.now(datetime.UTC))
    files = {"tls__certificate_file": str(tmp_path / "gateway.crt"), "tls__key_file": str(tmp_path / "gateway.key")}
    source = wiring.certificate_source(fake_settings(tmp_path, listen="localhost:0", **files))
    assert source is not None
    assert source.load(datetime.datetime.now(datetime.UTC)).ca_file == tmp_path / "gateway.crt"


def test_the_simulator_gets_the_galaxy_that_is_browsed(tmp_path: Path) -> None:
    settings = load(None, {"state_dir": str(tmp_path)})
    assert wiring.worker_plan(settings, FILE).options == {
        "galaxy": "/g/plant.db",
        "board": "/g/plant.board.db",
    }
    own = load(None, {"state_dir": str(tmp_path), "worker.backend_options": {"galaxy": "/other.db"}})
    assert wiring.worker_plan(own, FILE).options["galaxy"] == "/other.db"
    assert wiring.worker_plan(own, SERVER).options == {"galaxy": "/other.db"}


def test_the_simulator_without_a_galaxy_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    settings = load(None, {"state_dir": str(tmp_path)})
    with pytest.raises(ConfigurationError, match=r"galaxy\.connection_string"):
        wiring.worker_plan(settings, SERVER)


def test_a_worker_is_told_its_times_and_bounds(tmp_path: Path) -> None:
    settings = fake_settings(
        tmp_path,
        events__queue_capacity=77,
        worker__heartbeat_interval_seconds=2,
        worker__heartbeat_grace_seconds=9,
        worker__heartbeat_stuck_ceiling_seconds=99,
        worker__shutdown_timeout_seconds=4,
        worker__max_message_bytes=70_000,
        worker__max_memory_bytes=77,
        sessions__max_items_per_session=1234,
        sessions__max_registrations_per_session=12,
    )
    plan = wiring.worker_plan(settings, FILE)
    told = dict(zip(plan.arguments[::2], plan.arguments[1::2], strict=True))
    assert told == {
        "--max-frame-bytes": "70000",
        "--event-queue-capacity": "77",
        "--max-items": "1234",
        "--max-registrations": "12",
        "--heartbeat-interval": "2.0",
        "--heartbeat-grace": "9.0",
        "--stuck-ceiling": "99.0",
        "--shutdown-grace": "4.0",
    }
    assert (plan.backend, plan.max_frame_bytes, plan.options) == ("fake", 70_000, {})
    limits = wiring.worker_limits(settings)
    assert limits.memory == 77
    assert (limits.shutdown, limits.watchdog.grace, limits.watchdog.stuck_ceiling) == (4, 9, 99)
    faulty = fake_settings(tmp_path, allow_fault_injection=True)
    assert wiring.worker_plan(faulty, FILE).arguments[-1] == "--allow-fault-injection"


def test_the_bounds_of_sessions_and_streams_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = fake_settings(
        tmp_path,
        sessions__max_sessions=3,
        sessions__max_sessions_per_key=2,
        sessions__default_lease_seconds=60,
        sessions__detach_grace_seconds=5,
        sessions__max_event_subscribers_per_session=4,
        events__queue_capacity=50,
        events__queue_max_bytes=5000,
        events__replay_buffer_capacity=10,
        events__replay_max_bytes=6000,
        events__replay_retention_seconds=20,
        events__backpressure_policy="conflate",
        events__require_subscriber=True,
    )
    options = wiring.session_options(settings)
    assert (options.max_sessions, options.max_sessions_per_key) == (3, 2)
    assert (options.limits.lease, options.limits.detach_grace) == (60, 5)
    assert (options.ring.delivered_events, options.ring.undelivered_events) == (10, 50)
    assert (options.ring.max_bytes, options.ring.retention) == (6000, 20)
    assert (options.subscriber.max_events, options.subscriber.max_bytes) == (50, 5000)
    assert (options.policy, options.max_subscribers) == (pb.BACKPRESSURE_POLICY_CONFLATE, 4)
    assert options.requires_subscriber
    single = fake_settings(tmp_path, sessions__allow_multiple_event_subscribers=False)
    assert wiring.session_options(single).max_subscribers == 1


def test_the_galaxys_times_are_those_of_the_settings(tmp_path: Path) -> None:
    settings = fake_settings(
        tmp_path,
        galaxy__poll_interval_seconds=7,
        galaxy__command_timeout_seconds=11,
        galaxy__test_connection_timeout_seconds=3,
        galaxy__longest_read_retry_seconds=99,
    )
    timing = wiring.galaxy_timing(settings)
    assert (timing.poll_interval, timing.probe) == (7, 11)
    assert (timing.test_connection, timing.longest_retry) == (3, 99)
