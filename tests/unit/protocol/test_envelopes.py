"""Envelopes: each check has its own error, on the side that reads."""

import pytest

from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_protocol.envelopes import EnvelopeReader, EnvelopeWriter
from mxgateway_protocol.errors import (
    BodyError,
    MalformedFrameError,
    PipeProtocolError,
    SequenceError,
    SessionMismatchError,
    VersionMismatchError,
)
from mxgateway_protocol.frames import HEADER_BYTES


def heartbeat() -> wpb.WorkerEnvelope:
    return wpb.WorkerEnvelope(worker_heartbeat=wpb.WorkerHeartbeat(worker_process_id=1))


def payload(session: str = "s", version: int = 1, sequence: int = 1) -> bytes:
    envelope = heartbeat()
    envelope.protocol_version, envelope.session_id, envelope.sequence = version, session, sequence
    return envelope.SerializeToString()


def test_what_the_writer_frames_the_reader_takes_in_increasing_sequence() -> None:
    writer, reader = EnvelopeWriter("s"), EnvelopeReader("s")
    parsed = [reader.parse(writer.frame(heartbeat())[HEADER_BYTES:]) for _ in range(3)]
    assert [e.sequence for e in parsed] == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (payload(version=2), VersionMismatchError),
        (payload(session="other"), SessionMismatchError),
        (payload(sequence=0), SequenceError),
        (b"\xff\xff", MalformedFrameError),
        (wpb.WorkerEnvelope(protocol_version=1, session_id="s", sequence=1).SerializeToString(), BodyError),
    ],
)
def test_each_broken_envelope_has_its_own_error(data: bytes, error: type[PipeProtocolError]) -> None:
    with pytest.raises(error):
        EnvelopeReader("s").parse(data)


def test_a_repeated_sequence_is_refused() -> None:
    reader = EnvelopeReader("s")
    reader.parse(payload(sequence=5))
    with pytest.raises(SequenceError):
        reader.parse(payload(sequence=5))


def test_the_writer_refuses_an_empty_envelope() -> None:
    with pytest.raises(BodyError):
        EnvelopeWriter("s").frame(wpb.WorkerEnvelope())


def test_no_check_repeats_another_sessions_id() -> None:
    with pytest.raises(SessionMismatchError) as caught:
        EnvelopeReader("s").parse(payload(session="secret-session"))
    assert "secret-session" not in str(caught.value)
