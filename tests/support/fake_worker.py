"""A worker process that does what a test says: the real frames over real pipes, and every kind of misbehaviour.

Started like the real one. How it starts is said by `--option start=…`, what it does later by the text of Ping commands:

start: `normal`, `never_hello`, `never_ready`, `wrong_nonce`, `wrong_version`, `garbage`, `backend_fault`, `exit:N`,
    `ignore_shutdown` (otherwise normal), `refuse_assign`, `ignore_end` (outlives even the end of its input),
    `crash_at_end` (ends without an acknowledgement).
Ping: `emit N [first item]` sends N events in one batch; `emit_each N` in N batches; `dropped N` says N were dropped
    before the next batch; `silent` gives no reply; `late` replies to the previous silent one, then to itself; `exit N`;
    `garbage`; `oversized`; `repeat_sequence`; `bad_body`; `bad_events`; `other_session`;
    `fault hung|overflow|unexpected`; `stop` freezes it; `count DROPPED REFUSED` sends a heartbeat with these totals;
    `unasked` replies to what nobody asked first; `heartbeat SECONDS` claims a call of that age; `stderr TEXT`;
    `flood N SIZE` sends N events of SIZE bytes; `cancels` replies with the reasons of the cancels so far; `env` replies
    with the names of its environment.
    Anything else is echoed.
"""

from __future__ import annotations

if __name__ == "__main__":
    # As the real one starts, and for the same reason: a gateway's tests start hundreds of these.
    from mxgateway_worker import quick_start

    quick_start.prepare()

import argparse
import os
import signal
import sys
import threading
from typing import NoReturn

from mxgateway.generated import mxaccess_gateway_pb2 as pb
from mxgateway.generated import mxaccess_worker_pb2 as wpb
from mxgateway_protocol.batches import join_events
from mxgateway_protocol.contract import NONCE_VARIABLE
from mxgateway_protocol.envelopes import EnvelopeReader, EnvelopeWriter
from mxgateway_protocol.frames import FrameDecoder

SOURCE_NS = 1_700_000_000_000_000_000


def data_change(session_id: str, sequence: int, item_handle: int, text: str = "") -> bytes:
    """A serialised OnDataChange whose value is its own sequence."""
    event = pb.MxEvent(
        family=pb.MX_EVENT_FAMILY_ON_DATA_CHANGE,
        session_id=session_id,
        server_handle=1,
        item_handle=item_handle,
        quality=192,
        worker_sequence=sequence,
        raw_status=text,
        on_data_change=pb.OnDataChangeEvent(),
    )
    event.value.int64_value = sequence
    event.source_timestamp.FromNanoseconds(SOURCE_NS + sequence)
    return event.SerializeToString()


class FakeWorker:
    def __init__(self, session_id: str, start: str) -> None:
        self._start = start
        self._reader = EnvelopeReader(session_id)
        self._writer = EnvelopeWriter(session_id)
        self._sequence = 0
        self._handles = 0
        self._freed: list[int] = []
        self._cancels: list[str] = []
        self._dropped = 0
        self._silent: list[str] = []

    def run(self) -> int:
        kind, _, argument = self._start.partition(":")
        if kind == "exit":
            sys.stderr.write("level=error event=cannot_start password=hunter2 reason=told-to\n")
            return int(argument)
        if kind == "garbage":
            os.write(1, b"this is no frame at all, not even nearly one")
            self._wait_for_end()
        decoder = FrameDecoder()
        while data := os.read(0, 65536):
            for payload in decoder.feed(data):
                code = self._handle(self._reader.parse(payload))
                if code is not None:
                    return code
        if self._start == "ignore_end":
            self._freeze()
        return 8

    def _wait_for_end(self) -> None:
        while os.read(0, 65536):
            pass

    def _freeze(self) -> NoReturn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            threading.Event().wait()

    def _send(self, envelope: wpb.WorkerEnvelope) -> None:
        data = self._writer.frame(envelope)
        while data:
            data = data[os.write(1, data) :]

    def _handle(self, envelope: wpb.WorkerEnvelope) -> int | None:
        body = envelope.WhichOneof("body")
        if body == "gateway_hello":
            self._greet(envelope.gateway_hello)
        elif body == "worker_command":
            return self._command(envelope.correlation_id, envelope.worker_command.command)
        elif body == "worker_assign":
            return self._assign(envelope.worker_assign)
        elif body == "worker_cancel":
            self._cancels.append(envelope.worker_cancel.reason)
        elif body == "worker_shutdown":
            if self._start in ("ignore_shutdown", "ignore_end"):
                return None
            if self._start == "crash_at_end":
                return 99
            ack = wpb.WorkerShutdownAck(status=pb.ProtocolStatus(code=pb.PROTOCOL_STATUS_CODE_OK))
            self._send(wpb.WorkerEnvelope(worker_shutdown_ack=ack))
            return 0
        return None

    def _greet(self, hello: wpb.GatewayHello) -> None:
        if self._start == "never_hello":
            return
        nonce = "wrong" if self._start == "wrong_nonce" else hello.nonce
        version = 99 if self._start == "wrong_version" else 1
        self._send(
            wpb.WorkerEnvelope(
                worker_hello=wpb.WorkerHello(
                    protocol_version=version, nonce=nonce, worker_process_id=os.getpid(), worker_version="fake"
                )
            )
        )
        if self._start == "never_ready":
            return
        if self._start == "backend_fault":
            fault = wpb.WorkerFault(
                category=wpb.WORKER_FAULT_CATEGORY_BACKEND_CREATION_FAILED,
                hresult=-2147221164,
                diagnostic_message="class not registered",
            )
            self._send(wpb.WorkerEnvelope(worker_fault=fault))
            return
        ready = wpb.WorkerReady(
            worker_process_id=os.getpid(), mxaccess_progid="Fake", mxaccess_clsid="{0}", backend_name="fake"
        )
        self._send(wpb.WorkerEnvelope(worker_ready=ready))
        self._heartbeat(None)

    def _assign(self, assign: wpb.WorkerAssign) -> int | None:
        code = pb.PROTOCOL_STATUS_CODE_OK
        if self._start == "refuse_assign":
            code = pb.PROTOCOL_STATUS_CODE_WORKER_UNAVAILABLE
        assigned = wpb.WorkerAssigned(status=pb.ProtocolStatus(code=code, message="told to"))
        # Something of the old session is still on its way, as with a real worker.
        self._heartbeat(None)
        self._send(wpb.WorkerEnvelope(worker_assigned=assigned))
        self._reader.session_id = self._writer.session_id = assign.session_id
        return None

    def _heartbeat(self, age: float | None) -> None:
        heartbeat = wpb.WorkerHeartbeat(worker_process_id=os.getpid(), state=wpb.WORKER_STATE_READY)
        if age is not None:
            heartbeat.current_command_age.FromNanoseconds(int(age * 1e9))
        self._send(wpb.WorkerEnvelope(worker_heartbeat=heartbeat))

    def _reply(self, correlation_id: str, reply: pb.MxCommandReply) -> None:
        reply.session_id = self._writer.session_id
        reply.correlation_id = correlation_id
        if not reply.HasField("protocol_status"):
            reply.protocol_status.code = pb.PROTOCOL_STATUS_CODE_OK
        body = wpb.WorkerCommandReply(reply_data=reply.SerializeToString())
        if reply.diagnostic_message == "as message":
            body = wpb.WorkerCommandReply(reply=reply)
        elif reply.diagnostic_message == "no reply":
            body = wpb.WorkerCommandReply(reply_data=b"\xff\xff")
        self._send(wpb.WorkerEnvelope(correlation_id=correlation_id, worker_command_reply=body))

    def _command(self, correlation_id: str, command: pb.MxCommand) -> int | None:
        reply = pb.MxCommandReply(kind=command.kind)
        arm = command.WhichOneof("payload")
        payload = getattr(command, arm or "ping")
        if arm == "ping":
            return self._ping(correlation_id, command.ping.message, reply)
        if arm == "register":
            reply.register.server_handle = 1
        elif arm in ("add_item", "add_item2", "add_buffered_item"):
            getattr(reply, arm).item_handle = self._new_handle()
            reply.diagnostic_message = payload.item_definition
        elif arm in ("add_item_bulk", "subscribe_bulk"):
            for tag in payload.tag_addresses:
                getattr(reply, arm).results.add(
                    server_handle=payload.server_handle,
                    tag_address=tag,
                    item_handle=self._new_handle(),
                    was_successful=True,
                )
        elif arm == "remove_item":
            self._freed.append(payload.item_handle)
        elif arm == "read_bulk":
            for tag in payload.tag_addresses:
                reply.read_bulk.results.add(server_handle=1, tag_address=tag, was_successful=True)
        elif arm in ("write_bulk", "write2_bulk", "write_secured_bulk", "write_secured2_bulk"):
            for entry in payload.entries:
                getattr(reply, arm).results.add(server_handle=1, item_handle=entry.item_handle, was_successful=True)
        elif arm == "write":
            reply.diagnostic_message = str(payload.value.WhichOneof("kind"))
            reply.return_value.CopyFrom(payload.value)
        elif arm == "get_session_state":
            reply.get_session_state.state = pb.SESSION_STATE_READY
        self._reply(correlation_id, reply)
        return None

    def _new_handle(self) -> int:
        # MXAccess may give a handle that was freed to the next item.
        if self._freed:
            return self._freed.pop()
        self._handles += 1
        return self._handles

    def _ping(self, correlation_id: str, text: str, reply: pb.MxCommandReply) -> int | None:
        reply.diagnostic_message = text
        word, *arguments = text.split(" ") if text else [""]
        if word == "emit":
            self._emit(int(arguments[0]), 1)
        elif word == "emit_each":
            for _ in range(int(arguments[0])):
                self._emit(1, 1)
        elif word == "emit_items":
            self._emit(int(arguments[0]), int(arguments[1]), "x" * int((*arguments, 0)[2]))
        elif word == "flood":
            self._emit(int(arguments[0]), 1, "x" * int(arguments[1]))
        elif word == "dropped":
            self._dropped = int(arguments[0])
            self._sequence += self._dropped
        elif word == "silent":
            self._silent.append(correlation_id)
            return None
        elif word == "late":
            for silent in self._silent:
                self._reply(silent, pb.MxCommandReply(kind=pb.MX_COMMAND_KIND_PING))
            self._silent.clear()
        elif word == "exit":
            return int(arguments[0])
        elif word == "abort":
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "stop":
            self._freeze()
        elif word == "garbage":
            os.write(1, b"\x05\x00\x00\x00\xff\xff\xff\xff\xff")
            self._wait_for_end()
        elif word == "oversized":
            os.write(1, b"\xff\xff\xff\x7f")
            self._wait_for_end()
        elif word == "repeat_sequence":
            beat = wpb.WorkerEnvelope(
                protocol_version=1,
                session_id=self._writer.session_id,
                sequence=1,
                worker_heartbeat=wpb.WorkerHeartbeat(),
            ).SerializeToString()
            os.write(1, len(beat).to_bytes(4, "little") + beat)
            self._wait_for_end()
        elif word == "bad_events":
            first = self._sequence + 1
            self._sequence += 3
            # One event where there should be three, and its end is cut off.
            broken = join_events([data_change(self._writer.session_id, first, 1)])[:-5]
            batch = wpb.WorkerEventBatch(batch=broken, first_sequence=first, event_count=3)
            self._send(wpb.WorkerEnvelope(worker_event_batch=batch))
        elif word == "bad_body":
            self._send(wpb.WorkerEnvelope(gateway_hello=wpb.GatewayHello()))
        elif word == "other_session":
            self._writer.session_id = "session-of-somebody-else"
            self._heartbeat(None)
        elif word == "fault":
            category = {
                "hung": wpb.WORKER_FAULT_CATEGORY_STA_HUNG,
                "overflow": wpb.WORKER_FAULT_CATEGORY_QUEUE_OVERFLOW,
                "unexpected": wpb.WORKER_FAULT_CATEGORY_UNEXPECTED,
            }[arguments[0]]
            fault = wpb.WorkerFault(category=category, diagnostic_message="told to; token=sesame")
            self._send(wpb.WorkerEnvelope(worker_fault=fault))
        elif word == "heartbeat":
            self._heartbeat(float(arguments[0]))
        elif word == "count":
            dropped, refused = map(int, arguments)
            beat = wpb.WorkerHeartbeat(
                state=wpb.WORKER_STATE_BUSY,
                pending_command_count=2,
                event_queue_depth=3,
                event_sequence=self._sequence,
                dropped_events_total=dropped,
                refused_events_total=refused,
            )
            self._send(wpb.WorkerEnvelope(worker_heartbeat=beat))
        elif word == "unasked":
            self._reply("nobody", pb.MxCommandReply(kind=pb.MX_COMMAND_KIND_PING))
        elif word == "stderr":
            sys.stderr.write(" ".join(arguments) + "\n")
            sys.stderr.flush()
        elif word == "cancels":
            reply.diagnostic_message = ",".join(self._cancels)
        elif word == "env":
            reply.diagnostic_message = ",".join(sorted(os.environ))
        self._reply(correlation_id, reply)
        return None

    def _emit(self, count: int, items: int, text: str = "") -> None:
        first = self._sequence + 1
        events = [
            data_change(self._writer.session_id, first + index, index % items + 1, text) for index in range(count)
        ]
        self._sequence += count
        batch = wpb.WorkerEventBatch(
            batch=join_events(events), first_sequence=first, event_count=count, dropped_events=self._dropped
        )
        self._dropped = 0
        self._send(wpb.WorkerEnvelope(worker_event_batch=batch))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--session-id", required=True)
    parser.add_argument("--protocol-version", required=True)
    parser.add_argument("--option", action="append", default=[])
    known, _ = parser.parse_known_args()
    options = dict(option.split("=", 1) for option in known.option)
    if not os.environ.get(NONCE_VARIABLE):
        return 4
    return FakeWorker(known.session_id, options.get("start", "normal")).run()


if __name__ == "__main__":
    quick_start.done()
    sys.exit(main())
