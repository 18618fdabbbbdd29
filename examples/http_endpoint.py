"""Tags over HTTP, with Starlette: GET /tags/TAG, PUT /tags/TAG, and GET /events?tag=… as server-sent events.

Needs the extra `examples` (Starlette and uvicorn). One session serves all requests; the client opens it anew after a
restart of the gateway, repeats reads that failed for it, and never repeats a write.

python examples/http_endpoint.py --port 8080
"""

from __future__ import annotations

import argparse
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from gateway_options import client_options, parser
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from mxgateway import (
    ClientOptions,
    GatewayClient,
    MxAccessError,
    MxGatewayAuthorizationError,
    MxGatewayConnectionError,
    MxGatewayError,
    MxGatewaySessionError,
    MxGatewayTimeoutError,
    MxGatewayWorkerError,
)

STATUS = {
    MxGatewayAuthorizationError: 403,
    MxAccessError: 422,
    MxGatewayTimeoutError: 504,
    MxGatewayConnectionError: 503,
    MxGatewaySessionError: 503,
    MxGatewayWorkerError: 503,
}


async def read_tag(request: Request) -> JSONResponse:
    tag = request.path_params["tag"]
    [reading] = await request.state.client.read([tag])
    if reading.error:
        return JSONResponse({"tag": tag, "error": reading.error}, status_code=404)
    return JSONResponse(
        {
            "tag": tag,
            "value": json.loads(json.dumps(reading.value, default=str)),
            "quality": reading.quality,
            "time": reading.source_timestamp and reading.source_timestamp.isoformat(),
        }
    )


async def write_tag(request: Request) -> JSONResponse:
    """Writes the JSON value in the body and answers when MXAccess has completed the write."""
    tag, value = request.path_params["tag"], await request.json()
    # A refused write raises MxAccessError, an unknown outcome MxGatewayTimeoutError: see STATUS.
    await request.state.client.write(tag, value)
    return JSONResponse({"tag": tag, "value": value, "written": True})


async def stream_tags(request: Request) -> StreamingResponse:
    tags = request.query_params.getlist("tag")

    async def lines() -> AsyncIterator[str]:
        async with request.state.client.subscribe(tags, client_session_name="http events") as changes:
            async for change in changes:
                data = {"tag": change.tag, "value": change.value, "good": change.is_good}
                yield f"id: {change.worker_sequence}\ndata: {json.dumps(data, default=str)}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


async def failed(_: Request, error: Exception) -> JSONResponse:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 502)
    return JSONResponse(
        {"error": str(error), "correlationId": getattr(error, "correlation_id", "")}, status_code=status
    )


def application(options: ClientOptions) -> Starlette:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
        async with await GatewayClient.connect(options) as client:
            yield {"client": client}

    return Starlette(
        lifespan=lifespan,
        exception_handlers={MxGatewayError: failed},
        routes=[
            Route("/tags/{tag}", read_tag, methods=["GET"]),
            Route("/tags/{tag}", write_tag, methods=["PUT"]),
            Route("/events", stream_tags, methods=["GET"]),
        ],
    )


def serve(arguments: argparse.Namespace) -> None:
    uvicorn.run(application(client_options(arguments)), host=arguments.host, port=arguments.port, log_level="info")


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--host", default="127.0.0.1")
    flags.add_argument("--port", type=int, default=8080, help="0 for any free one")
    serve(flags.parse_args())


if __name__ == "__main__":
    main()
