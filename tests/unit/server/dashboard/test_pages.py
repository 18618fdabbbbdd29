"""The files of the bundle: packed for who takes it, the same bytes for everybody else."""

from __future__ import annotations

import gzip
import json
from importlib import resources
from types import SimpleNamespace
from typing import Any

import pytest

from mxgateway_server.dashboard.pages import Pages, takes_gzip


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
        ("x-gzip", False),
        ("", False),
    ],
)
def test_who_takes_packed_files_says_so(header: str, expected: bool) -> None:
    assert takes_gzip(header) is expected


async def test_a_file_is_packed_for_who_takes_it_and_the_same_file_for_all() -> None:
    def call(header: str) -> Any:
        return SimpleNamespace(
            path=lambda _: script, request=SimpleNamespace(headers={"accept-encoding": header} if header else {})
        )

    folder = resources.files("mxgateway_server.dashboard") / "static"
    script = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["entry"]["script"]
    pages = Pages()
    packed, bare = await pages.file(call("gzip")), await pages.file(call(""))
    assert (packed.headers["content-encoding"], "content-encoding" in bare.headers) == ("gzip", False)
    assert gzip.decompress(packed.body) == bare.body == (folder / script).read_bytes()
    assert len(packed.body) < 75_000, "what a slow line has to carry"
    assert {answer.headers["vary"] for answer in (packed, bare)} == {"accept-encoding"}
