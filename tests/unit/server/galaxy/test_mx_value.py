"""Texts in the hex dumps of the Galaxy database, and whatever else stands in their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxgateway_protocol.variants import DataType
from mxgateway_server.galaxy.mx_value import MAX_TEXT_CHARACTERS, TEXT_CHARACTERS, text
from mxgateway_simulator.mx_value import encode

TEXTS = st.text(st.characters(codec="utf-16", exclude_characters="\0"))


@given(TEXTS, st.sampled_from([DataType.STRING, DataType.BIG_STRING, DataType.INTERNATIONALIZED_STRING]))
def test_texts_come_back(written: str, data_type: DataType) -> None:
    """A text of any string type comes back, also from what a query cuts, as far as it is kept."""
    dump = encode(data_type, written)
    assert text(dump) == written[:MAX_TEXT_CHARACTERS]
    kept = text(dump[:TEXT_CHARACTERS])
    assert kept is not None
    assert written.startswith(kept)
    assert kept == written or len(kept.encode("utf-16-le")) >= 2 * MAX_TEXT_CHARACTERS


@given(st.one_of(st.text(), st.binary().map(lambda data: "0x" + data.hex()), st.none()))
def test_no_rubbish_raises(dump: str | None) -> None:
    """Whatever stands there gives a text or None."""
    assert text(dump) is None or isinstance(text(dump), str)


@pytest.mark.parametrize("dump", [None, "", "0x", "0x00", "0x05", "text", "0xZZ", encode(DataType.INTEGER, 5)])
def test_what_is_no_text_gives_none(dump: str | None) -> None:
    assert text(dump) is None
