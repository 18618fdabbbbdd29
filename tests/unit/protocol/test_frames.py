"""Frames: cut anywhere, refused early."""

import pytest

from mxgateway_protocol.errors import MalformedFrameError, OversizedFrameError
from mxgateway_protocol.frames import FrameDecoder, decode_length, encode_frame


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 1000])
def test_payloads_come_out_whole_wherever_the_stream_is_cut(chunk: int) -> None:
    payloads = [b"a", b"b" * 300, b"\x00" * 5]
    stream = b"".join(map(encode_frame, payloads))
    decoder = FrameDecoder()
    out = [p for i in range(0, len(stream), chunk) for p in decoder.feed(stream[i : i + chunk])]
    assert out == payloads
    assert not decoder.has_partial_frame


def test_a_cut_off_frame_is_seen_as_partial() -> None:
    decoder = FrameDecoder()
    assert list(decoder.feed(encode_frame(b"abc")[:-1])) == []
    assert decoder.has_partial_frame


def test_a_zero_length_is_refused() -> None:
    with pytest.raises(MalformedFrameError):
        list(FrameDecoder().feed(b"\x00\x00\x00\x00"))
    with pytest.raises(MalformedFrameError):
        encode_frame(b"")


def test_a_length_over_the_limit_is_refused_before_its_bytes_come() -> None:
    with pytest.raises(OversizedFrameError):
        list(FrameDecoder(max_bytes=10).feed(b"\x0b\x00\x00\x00"))
    with pytest.raises(OversizedFrameError):
        encode_frame(b"x" * 11, max_bytes=10)
    with pytest.raises(OversizedFrameError):
        decode_length(b"\xff\xff\xff\xff")


def test_a_whole_frame_over_the_limit_is_refused_too() -> None:
    with pytest.raises(OversizedFrameError):
        list(FrameDecoder(max_bytes=10).feed(encode_frame(b"x" * 11)))


def test_what_looks_like_a_frame_within_a_frame_is_none() -> None:
    """A payload that is a frame itself, cut just before it."""
    inner = encode_frame(b"inner")
    stream, decoder = encode_frame(inner), FrameDecoder()
    assert list(decoder.feed(stream[:4])) == []
    assert list(decoder.feed(stream[4:])) == [inner]
    assert list(decoder.feed(encode_frame(b"after"))) == [b"after"]


def test_frames_before_a_bad_one_are_delivered() -> None:
    decoder = FrameDecoder()
    frames = decoder.feed(encode_frame(b"good") + b"\x00\x00\x00\x00")
    assert next(frames) == b"good"
    with pytest.raises(MalformedFrameError):
        next(frames)
