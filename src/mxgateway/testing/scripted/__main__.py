"""`python -m mxgateway.testing.scripted [case.json]`: the scripted gateway as a process, steered by lines of JSON."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from pathlib import Path
from typing import Any

from mxgateway.testing.scripted.gateway import ScriptedGateway
from mxgateway.testing.scripted.rules import ScriptError


def main() -> int:
    """Serves until stdin ends."""
    parser = argparse.ArgumentParser(prog="python -m mxgateway.testing.scripted", description=__doc__)
    parser.add_argument("file", nargs="?", help="A case, or a suite of them; plain answers without it.")
    parser.add_argument("--case", help="Name of the case, in a suite.")
    parser.add_argument("--certificate", help="PEM chain, for TLS.")
    parser.add_argument("--private-key", help="PEM key of it.")
    given = parser.parse_args()
    try:
        document = _server_part(given.file, given.case)
        certificate = None
        if given.certificate:
            certificate = (Path(given.certificate).read_bytes(), Path(given.private_key).read_bytes())
        asyncio.run(_serve(document, certificate))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def _server_part(file: str | None, case: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    document = json.loads(Path(file).read_text(encoding="utf-8"))
    if "cases" in document:
        found = [each for each in document["cases"] if case is None or each["name"] == case]
        if len(found) != 1:
            raise ScriptError(f"{file} has {len(found)} cases of that name; give --case with one")
        document = found[0]
    server: dict[str, Any] = document.get("server", document)
    return server


async def _serve(document: dict[str, Any], certificate: tuple[bytes, bytes] | None) -> None:
    lines: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        # A pipe of stdin cannot be waited for in every event loop; a thread can.
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, "")

    async with ScriptedGateway(document, certificate) as gateway:
        _say({"ready": True, "endpoint": gateway.endpoint})
        threading.Thread(target=read, daemon=True).start()
        while line := await lines.get():
            try:
                _say(await _answer(gateway, json.loads(line)))
            except (ValueError, KeyError) as error:
                _say({"error": str(error)})


async def _answer(gateway: ScriptedGateway, wish: dict[str, Any]) -> dict[str, Any]:
    if "load" in wish:
        gateway.load(wish["load"])
    elif "signal" in wish:
        gateway.record.signals.add(wish["signal"])
        gateway.record.wake()
    elif "do" in wish:
        await gateway.do(wish["do"])
    elif "wait" in wish:
        return {"waited": await _waited(gateway, wish["wait"])}
    elif "report" not in wish:
        raise ScriptError(f"{wish} is no wish; there are load, signal, do, wait and report")
    return gateway.record.report() | {"endpoint": gateway.endpoint, "connections": gateway.relay.connections}


async def _waited(gateway: ScriptedGateway, wanted: dict[str, Any]) -> bool:
    """Whether `requests` (by RPC), `commands`, `cancelled` and `open_streams` came to be as wanted within `seconds`."""
    record = gateway.record

    def holds() -> bool:
        seen = [each["rpc"] for each in record.requests]
        return (
            all(seen.count(rpc) >= count for rpc, count in wanted.get("requests", {}).items())
            and record.commands >= wanted.get("commands", 0)
            and len(record.cancelled) >= wanted.get("cancelled", 0)
            and record.open_streams == wanted.get("open_streams", record.open_streams)
        )

    return await record.wait(holds, wanted.get("seconds", 5.0))


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
