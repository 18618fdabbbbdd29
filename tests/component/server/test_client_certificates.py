"""Client certificates: who gets in by which address, and keys that are bound to one. One gateway for all."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
import pytest_asyncio
from tests.support.gateway import USUAL_SCOPES, LiveGateway, bearer, command, fake_settings, live_gateway, open_store

from mxgateway import GatewayClient, MxGatewayAuthorizationError, MxGatewayConnectionError
from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_gateway_pb2_grpc as pb_grpc
from mxgateway_server.access.certificates import rule_of
from mxgateway_server.certificates.authority import Authority, certificate_pem, issue_client, key_pem, make_authority
from mxgateway_server.certificates.authority import new_key as new_signing_key

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.shares_processes]

NOW = datetime.datetime.now(datetime.UTC)
YEAR = datetime.timedelta(days=365)


def authority() -> Authority:
    key = new_signing_key()
    return Authority(make_authority(key, NOW, 10), key)


@dataclass(frozen=True)
class ClientFiles:
    """A client's certificate and key, as files."""

    certificate: Path
    key: Path

    @classmethod
    def make(cls, folder: Path, name: str, signer: Authority) -> ClientFiles:
        certificate, key = issue_client(signer, name, NOW, YEAR)
        files = cls(folder / f"{name}.crt", folder / f"{name}.key")
        files.certificate.write_bytes(certificate_pem(certificate))
        files.key.write_bytes(key_pem(key))
        return files

    @property
    def rule(self) -> str:
        return rule_of(self.certificate.read_bytes())


@dataclass
class Plant:
    gateway: LiveGateway
    folder: Path
    signer: Authority
    mine: ClientFiles
    other: ClientFiles

    @property
    def addresses(self) -> tuple[str, str]:
        """The TLS address that asks for no certificate, and the one that does."""
        plain, mutual, _ = self.gateway.running.endpoints
        assert (plain.wants_certificate, mutual.wants_certificate) == (False, True)
        return plain.address.replace("127.0.0.1", "localhost"), mutual.address.replace("127.0.0.1", "localhost")

    @property
    def ca_file(self) -> str:
        return self.gateway.running.endpoints[0].ca_file

    async def key(self, key_id: str, rule: str = "") -> str:
        store = await open_store(self.gateway.settings)
        try:
            return await store.create(key_id, key_id, USUAL_SCOPES, certificate=rule)
        finally:
            await store.close()

    async def ask(self, key: str, files: ClientFiles | None, address: str | None = None) -> None:
        """One call of the client library."""
        shown: dict[str, Any] = {}
        if files is not None:
            shown = {"client_certificate_file": files.certificate, "client_key_file": files.key}
        endpoint = address or self.addresses[1]
        async with GatewayClient.connect(endpoint=endpoint, api_key=key, ca_file=self.ca_file, **shown) as client:
            await client.list_sessions()

    def channel(self, files: ClientFiles) -> grpc.aio.Channel:
        credentials = grpc.ssl_channel_credentials(
            Path(self.ca_file).read_bytes(), files.key.read_bytes(), files.certificate.read_bytes()
        )
        return grpc.aio.secure_channel(self.addresses[1], credentials)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def plant(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Plant]:
    folder = tmp_path_factory.mktemp("state")
    signer = authority()
    (folder / "clients-ca.pem").write_bytes(certificate_pem(signer.certificate))
    settings = fake_settings(
        folder,
        listen="127.0.0.1:0",
        listen_client_certificates="127.0.0.1:0",
        tls__client_certificates="optional",
        tls__client_ca_file=str(folder / "clients-ca.pem"),
    )
    async with live_gateway(settings) as gateway:
        files = [ClientFiles.make(folder, name, signer) for name in ("line4-hmi", "line5-hmi")]
        yield Plant(gateway, folder, signer, *files)


async def test_only_who_has_a_certificate_of_a_known_authority_gets_in(plant: Plant) -> None:
    await plant.ask(plant.gateway.key, plant.mine)
    await plant.ask(plant.gateway.key, None, plant.addresses[0])
    strange = ClientFiles.make(plant.folder, "strange", authority())
    for files in (None, strange):
        with pytest.raises(MxGatewayConnectionError) as caught:
            await plant.ask(plant.gateway.key, files)
        assert caught.value.reason in ("CLIENT_CERTIFICATE_EXPECTED", "CLIENT_CERTIFICATE_REQUIRED")
        assert "client_certificate_file" in str(caught.value)


async def test_a_certificate_lets_nobody_in_without_a_key(plant: Plant) -> None:
    async with plant.channel(plant.mine) as channel:
        stub: Any = pb_grpc.MxAccessGatewayStub(channel)  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ListSessions(pb.ListSessionsRequest())
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("by", ["sha256", "subject"])
async def test_a_bound_key_works_with_its_certificate_only(plant: Plant, by: str) -> None:
    key = await plant.key(f"bound-{by}", plant.mine.rule if by == "sha256" else "subject:CN=line4-hmi")
    await plant.ask(key, plant.mine)
    for files, address, words in (
        (plant.other, None, f"by its {by}, and this connection showed another"),
        (None, plant.addresses[0], "this connection showed none"),
    ):
        with pytest.raises(MxGatewayAuthorizationError, match=words) as caught:
            await plant.ask(key, files, address)
        assert caught.value.reason == "CLIENT_CERTIFICATE"
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await plant.gateway.stub.ListSessions(pb.ListSessionsRequest(), metadata=bearer(key))
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    store = await open_store(plant.gateway.settings)
    try:
        async with asyncio.timeout(10):
            while len(records := await store.read_audit(key_id=f"bound-{by}", event="denied")) < 3:
                pass
    finally:
        await store.close()
    assert all("client certificate" in record.details["reason"] for record in records)


async def test_every_way_asks_for_it_and_a_change_of_it_ends_streams(plant: Plant) -> None:
    key = await plant.key("bound-everywhere", plant.mine.rule)
    metadata = bearer(key)
    async with plant.channel(plant.mine) as channel, plant.channel(plant.other) as wrong:
        stub: Any = pb_grpc.MxAccessGatewayStub(channel)  # type: ignore[no-untyped-call]
        stranger: Any = pb_grpc.MxAccessGatewayStub(wrong)  # type: ignore[no-untyped-call]
        session = (await stub.OpenSession(pb.OpenSessionRequest(), metadata=metadata)).session_id
        events = pb.StreamEventsRequest(session_id=session)
        ping = pb.MxCommandRequest(session_id=session, command=command("PING"))
        for attempt in (
            lambda: stranger.Invoke(ping, metadata=metadata),
            lambda: stranger.StreamEvents(events, metadata=metadata).read(),
            lambda: stranger.InvokeStream(iter([pb.MxCommandBatch(session_id=session)]), metadata=metadata).read(),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await attempt()
            assert caught.value.code() == grpc.StatusCode.PERMISSION_DENIED
        stream = stub.StreamEvents(events, metadata=metadata)
        await stream.initial_metadata()
        store = await open_store(plant.gateway.settings)
        await store.change("bound-everywhere", certificate=plant.other.rule)
        await store.close()
        await plant.gateway.perform("check-keys")
        with pytest.raises(grpc.aio.AioRpcError):
            await stream.read()
        await stranger.Invoke(ping, metadata=metadata)
        await stranger.CloseSession(pb.CloseSessionRequest(session_id=session), metadata=metadata)


async def test_new_authorities_are_taken_up_from_the_next_handshake_on_and_damaged_ones_are_told(
    plant: Plant,
) -> None:
    certificates = plant.gateway.gateway.parts.certificate
    assert certificates is not None

    async def look() -> str:
        await asyncio.to_thread(certificates.look)
        return certificates.clients_problem

    file = plant.folder / "clients-ca.pem"
    before, second = file.read_bytes(), authority()
    newcomer = ClientFiles.make(plant.folder, "newcomer", second)
    with pytest.raises(MxGatewayConnectionError):
        await plant.ask(plant.gateway.key, newcomer)
    file.write_bytes(before + certificate_pem(second.certificate))
    assert await look() == ""
    await plant.ask(plant.gateway.key, newcomer)
    await plant.ask(plant.gateway.key, plant.mine)
    for damage, words in (
        (b"no certificate", "no PEM certificate"),
        (plant.mine.certificate.read_bytes(), "no authority's certificate"),
        (certificate_pem(make_authority(new_signing_key(), NOW - 2 * YEAR, 1)), "not valid now"),
    ):
        file.write_bytes(damage)
        assert words in await look()
        await plant.ask(plant.gateway.key, newcomer)
    file.write_bytes(before)
    assert await look() == ""
