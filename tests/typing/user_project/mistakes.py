"""Mistakes that a type checker has to see: an ignore that is not needed is an error itself."""

from __future__ import annotations

from mxgateway import ClientOptions, GatewayClient, Session, sync
from mxgateway.generated import mxaccess_gateway_pb2 as pb


async def mistakes(client: GatewayClient, session: Session, blocking: sync.Session) -> None:
    ClientOptions("localhost:5001")  # type: ignore
    ClientOptions(endpoint="localhost:5001", plaintext="yes")  # type: ignore
    await session.advise("1", 2)  # type: ignore
    await session.read_bulk(1, [1])  # type: ignore
    async for change in session.subscribe(["A.B"]):
        print(change.no_such_name)  # type: ignore
    results: list[pb.BulkWriteResult] = await session.read_bulk(1, ["A.B"])  # type: ignore
    print(results)
    print(blocking.read_bulk(1, ["A.B"])[0].no_such_name)  # type: ignore
    await blocking.ping()  # type: ignore
    pb.MxCommand(no_such_field=1)  # type: ignore
    await GatewayClient.connect(endpoint="localhost:5001", cafile="gateway-ca.pem")  # type: ignore
    await client.open_session(name="misspelt")  # type: ignore
    async with client.open_session() as opened:
        print(opened.no_such_name)  # type: ignore
