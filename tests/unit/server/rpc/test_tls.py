"""The endpoint presents what the keeper holds, from the next handshake on; connections that stand go on."""

from __future__ import annotations

import asyncio
import datetime
from pathlib import Path

import grpc
import grpc.aio
from tests.support.certificates import presented

from mxgateway_protocol.clock import SystemClock
from mxgateway_server.certificates.authority import names_of
from mxgateway_server.certificates.automatic import AutomaticCertificate
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.rpc.tls import server_credentials


async def test_a_new_certificate_holds_from_the_next_handshake_on(tmp_path: Path) -> None:
    names = ["localhost"]
    keeper = CertificateKeeper(AutomaticCertificate(tmp_path, lambda: tuple(names)), SystemClock())
    ca_file = keeper.current.ca_file
    trusted = ca_file.read_bytes()
    assert keeper.current.not_after > datetime.datetime.now(datetime.UTC)
    server = grpc.aio.server()
    port = server.add_secure_port("127.0.0.1:0", server_credentials(keeper))
    await server.start()
    credentials = grpc.ssl_channel_credentials(trusted)
    async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as standing:
        await asyncio.wait_for(standing.channel_ready(), 10)
        first = await asyncio.to_thread(presented, f"127.0.0.1:{port}", ca_file)
        assert names_of(first) == ("localhost",)
        names.append("renamed.example")
        await asyncio.to_thread(keeper.look)
        second = await asyncio.to_thread(presented, f"127.0.0.1:{port}", ca_file, "renamed.example")
        assert names_of(second) == ("localhost", "renamed.example")
        assert standing.get_state() is grpc.ChannelConnectivity.READY
        async with grpc.aio.secure_channel(f"localhost:{port}", credentials) as later:
            await asyncio.wait_for(later.channel_ready(), 10)
    await server.stop(0)
