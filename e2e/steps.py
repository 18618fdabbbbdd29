"""What the matrix does with each client, in the phases of the original's."""

from __future__ import annotations

from dataclasses import dataclass, field

TAG = "TestMachine_001.TestChangingInt"
WRITABLE = "TestChildObject.TestInt"
TAGS = ",".join(f"TestMachine_{number:03d}.TestChangingInt" for number in range(1, 7))


@dataclass(frozen=True)
class Step:
    """One line of the batch.

    Attributes:
        arguments: of the CLI; `{session}` and the like are filled in from what was kept.
        keeps: names of values of the answer that later steps use: name → path of keys.
        fails: a part of the error's text, where the step has to fail.
        shape: True compares keys and types alone: values of a plant that moves.
        free: keys whose values are there by chance in this step alone.
        reach: how the gateway is reached: with everything, or with something missing or wrong.
    """

    arguments: str
    keeps: dict[str, tuple[str | int, ...]] = field(default_factory=dict)
    fails: str = ""
    shape: bool = False
    free: frozenset[str] = frozenset()
    reach: str = "all"


_S = "--session-id {session}"
_H = f"{_S} --server-handle {{server}}"
_I = f"{_H} --item-handle {{item}}"
_WHEN = "--timestamp 2026-01-31T12:00:00.1234567Z"
_J = "--json"
# Others' alarms come and go meanwhile, and count on.
_OF_ALARMS = frozenset(("sequence", "alarmGuid"))

STEPS = (
    Step(f"version {_J}"),
    Step(f"open-session --client-session-name matrix {_J}", {"session": ("sessionId",)}),
    Step(f"session-state {_S} {_J}"),
    Step(f"ping {_S} --message 'hello world' {_J}"),
    Step(f"worker-info {_S} {_J}"),
    Step(f"register {_S} --client-name matrix {_J}", {"server": ("serverHandle",)}),
    Step(f"add-item {_H} --item {WRITABLE} {_J}", {"item": ("itemHandle",)}),
    Step(f"advise {_I} {_J}"),
    Step(f"stream-events {_S} --max-events 1 {_J}"),
    Step(f"write {_I} --type int32 --value 4242 {_J}"),
    Step(f"write2 {_I} --type int32 --value 4243 {_WHEN} {_J}"),
    Step(f"stream-events {_S} --max-events 2 {_J}", shape=True),
    Step(f"write {_I} --type string --value 'no number' {_J}"),
    Step(f"write {_I} --type int32 --value x {_J}", fails="--value"),
    Step(
        f"write-secured {_I} --type int32 --value 1 --current-user-id 999 {_J}", fails="WriteSecured failed in MXAccess"
    ),
    Step(
        f"write-secured2 {_I} --type int32 --value 1 --current-user-id 999 {_WHEN} {_J}", fails="WriteSecured2 failed"
    ),
    Step(f"suspend {_I} {_J}"),
    Step(f"activate {_I} {_J}"),
    Step(f"unadvise {_I} {_J}"),
    Step(f"remove-item {_I} {_J}"),
    Step(f"add-item2 {_H} --item Me.TestChangingInt --context TestMachine_001 {_J}", {"item": ("itemHandle",)}),
    Step(f"advise-supervisory {_I} {_J}"),
    Step(f"add-buffered-item {_H} --item {TAG} {_J}"),
    Step(f"set-buffered-update-interval {_H} --milliseconds 500 {_J}"),
    Step(
        f"subscribe-bulk {_H} --items {TAGS} {_J}",
        {"bulk": ("results", 0, "itemHandle"), "bulk2": ("results", 1, "itemHandle")},
    ),
    Step(f"stream-events {_S} --max-events 3 {_J}", shape=True),
    Step(f"read-bulk {_H} --items {TAGS} --timeout-ms 2000 {_J}", shape=True),
    Step(f"read-bulk {_H} --items No.Such,{WRITABLE} {_J}", shape=True),
    Step(f"add-item-bulk {_H} --items {WRITABLE},{TAG} {_J}", {"added": ("results", 0, "itemHandle")}),
    Step(f"advise-item-bulk {_H} --item-handles {{added}},99999 {_J}"),
    Step(f"stream-events {_S} --duration 0.4 {_J}", shape=True),
    Step(f"write-bulk {_H} --item-handles {{added}},99999 --type int32 --values 5,6 {_J}"),
    Step(f"write2-bulk {_H} --item-handles {{added}} --type int32 --values 7 {_WHEN} {_J}"),
    Step(f"write-secured-bulk {_H} --item-handles {{added}} --type int32 --values 7 --current-user-id 999 {_J}"),
    Step(
        f"write-secured2-bulk {_H} --item-handles {{added}} --type int32 --values 7 --current-user-id 999 {_WHEN} {_J}"
    ),
    Step(f"write-bulk {_H} --item-handles {{added}} --type int32 --values 5,6 {_J}", fails="numbers have to match"),
    Step(f"unadvise-item-bulk {_H} --item-handles {{added}} {_J}"),
    Step(f"remove-item-bulk {_H} --item-handles {{added}} {_J}"),
    Step(f"unsubscribe-bulk {_H} --item-handles {{bulk}},{{bulk2}} {_J}"),
    Step(f"drain-events {_S} --max-events 3 {_J}", shape=True),
    Step(f"authenticate-user {_H} --user nobody --password-env MATRIX_PASSWORD {_J}"),
    Step(f"archestra-user-to-id {_H} --guid 00000000-0000-0000-0000-000000000000 {_J}", shape=True),
    Step(f"galaxy-test-connection {_J}"),
    Step(f"galaxy-last-deploy {_J}"),
    Step(f"galaxy-discover --glob 'TestMachine_00?' {_J}"),
    Step(f"galaxy-discover --root DEV --max-depth 1 --no-attributes {_J}"),
    Step(f"galaxy-discover --root NoSuchObject {_J}", fails="NoSuchObject"),
    Step(f"galaxy-browse {_J}"),
    Step(f"galaxy-browse --parent DEV --no-attributes {_J}"),
    Step(f"galaxy-watch --max-events 1 {_J}"),
    Step(f"galaxy-watch --max-events 1 --last-seen-deploy-time tomorrow {_J}", fails="last-seen-deploy-time"),
    Step(f"query-active-alarms --filter-prefix {{alarm}} {_J}", free=_OF_ALARMS),
    Step(f"query-active-alarms --filter-prefix No!Such {_J}"),
    Step(f"stream-alarms --filter-prefix {{alarm}} --max-messages 2 {_J}", free=_OF_ALARMS),
    Step(f"acknowledge-alarm --reference {{alarm}} --comment 'seen, ok' --operator anna {_J}", free=_OF_ALARMS),
    Step(f"query-active-alarms --filter-prefix {{alarm}} {_J}", free=_OF_ALARMS),
    Step(f"stream-alarms --filter-prefix {{alarm}} --duration 0.4 {_J}", free=_OF_ALARMS),
    Step(f"acknowledge-alarm --reference No!Such.Alarm {_J}"),
    Step(f"acknowledge-alarm {_J}", fails="--reference"),
    Step(f"ping --session-id session-{'0' * 32} {_J}", fails="Ping"),
    Step(f"advise {_H} --item-handle 99999 {_J}", fails="Advise failed in MXAccess"),
    Step(f"read-bulk {_H} --items A.B --timeout-ms -1 {_J}", fails="--timeout-ms"),
    Step(f"read-bulk {_H} --items A.B,,C.D {_J}", fails="empty reference"),
    Step(f"no-such-command {_J}", fails="no-such-command"),
    Step(f"ping {_J}", fails="--session-id"),
    Step(f"ping {_S} --plaintext --tls", fails="exclude"),
    Step("'an open quote", fails=""),
    Step(""),
    Step(f"unregister {_H} {_J}"),
    Step(f"close-session {_S} {_J}"),
    Step(f"close-session {_S} {_J}"),
    Step(f"session-state {_S} {_J}", fails="GetSessionState"),
    Step(f"galaxy-test-connection {_J}", fails="UNAUTHENTICATED", reach="no-key"),
    Step(f"galaxy-test-connection {_J}", fails="UNAUTHENTICATED", reach="wrong-key"),
    Step(f"galaxy-test-connection {_J}", fails="is not set", reach="unset-key"),
    Step(f"galaxy-test-connection {_J}", fails="PERMISSION_DENIED", reach="narrow-key"),
    Step(f"open-session {_J}", fails="PERMISSION_DENIED", reach="narrow-key"),
    Step(f"galaxy-test-connection {_J}", fails="--ca-file", reach="no-ca"),
    Step(f"galaxy-test-connection {_J}", fails="server_name_override", reach="other-name"),
    Step(f"galaxy-test-connection {_J}", fails="plaintext", reach="plaintext"),
    Step(f"galaxy-test-connection {_J}", fails="does not exist", reach="missing-ca"),
    Step(f"smoke --item {WRITABLE} --value 17 {_J}"),
)
