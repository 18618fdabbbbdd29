"""One rule for the bare names of arrays: every call by name takes them, or with strict parity none does."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.support.shared_gateway import environment, shared_gateway

from mxgateway.testing import LocalGateway

pytestmark = [pytest.mark.shares_processes, pytest.mark.slow]

BARE = "TestChildObject.TestIntArray"


@pytest.fixture(scope="module")
def lenient() -> Iterator[LocalGateway]:
    with shared_gateway("reference") as running:
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalGateway]:
    config = tmp_path_factory.mktemp("strict") / "gateway.toml"
    config.write_text("[galaxy]\ncomplete_array_names = false\n")
    with shared_gateway("reference", ["--config", str(config)]) as running:
        yield running


async def outcomes(gateway: LocalGateway) -> dict[str, bool]:
    """Whether each way of naming an array gives its values."""
    found: dict[str, bool] = {}
    async with await gateway.connect() as client, await client.open_session() as session:
        server = await session.register("names")
        (read,) = await session.read_bulk(server, [BARE])
        assert read.tag_address == BARE
        found["ReadBulk"] = read.was_successful
        async with session.stream_events() as events:
            for name, add in (
                ("AddItem", lambda: session.add_item(server, BARE)),
                ("AddItem2", lambda: session.add_item2(server, "Me.TestIntArray", "TestChildObject")),
            ):
                item = await add()
                await session.advise(server, item)
                event = await anext(events)
                found[name] = event.item_handle == item and event.quality == 192
                await session.remove_item(server, item)
            for name, make in (("SubscribeBulk", session.subscribe_bulk), ("AddItemBulk", session.add_item_bulk)):
                (result,) = await make(server, [BARE])
                assert result.tag_address == BARE
                if name == "AddItemBulk":
                    await session.advise(server, result.item_handle)
                event = await anext(events)
                found[name] = event.item_handle == result.item_handle and event.quality == 192
                await session.remove_item(server, result.item_handle)
        async with session.subscribe([BARE]) as subscription:
            change = await asyncio.wait_for(anext(aiter(subscription)), 10)
            assert change.tag == BARE
            found["subscribe"] = change.is_good
    return found


WAYS = {"ReadBulk", "AddItem", "AddItem2", "SubscribeBulk", "AddItemBulk", "subscribe"}


async def test_every_call_by_name_takes_the_bare_name_of_an_array(lenient: LocalGateway) -> None:
    assert await outcomes(lenient) == dict.fromkeys(WAYS, True)


async def test_with_strict_parity_none_does(strict: LocalGateway) -> None:
    assert await outcomes(strict) == dict.fromkeys(WAYS, False)


def test_the_command_line_reads_it_by_the_same_rule(lenient: LocalGateway, strict: LocalGateway) -> None:
    def read(gateway: LocalGateway) -> tuple[int, str]:
        where = (
            "--endpoint",
            gateway.endpoint,
            "--ca-file",
            str(gateway.ca_file),
            "--api-key-env",
            "MXGATEWAY_API_KEY",
        )
        done = subprocess.run(
            [sys.executable, "-m", "mxgateway_cli", "read", BARE, "--json", *where],
            env=environment(gateway), capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
        return done.returncode, done.stdout

    code, text = read(lenient)
    assert code == 0
    assert json.loads(text)
    code, text = read(strict)
    assert code != 0
    assert "1003" in text
