"""What is left to the next program, as text and back."""

from __future__ import annotations

import pytest

from mxgateway_server.upgrade.legacy import Legacy

LEFT = Legacy(memory=7, pipes=(8, 9, 10), workers=(4711,), lock=5, signals=6)


def test_it_comes_back_as_it_was() -> None:
    assert Legacy.read(LEFT.text) == LEFT
    assert Legacy.read(Legacy(memory=7).text) == Legacy(memory=7)


def test_only_what_is_there_is_open() -> None:
    assert LEFT.descriptors == (7, 5, 6, 8, 9, 10)
    assert Legacy(memory=7, pipes=(8,)).descriptors == (7, 8)


@pytest.mark.parametrize("text", ["", "7", "{}", "[]", LEFT.text[:-1], LEFT.text.replace("8", '"x"')])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):
        Legacy.read(text)
