"""Writes what clients in every language share as data: `conformance/cli.json` and `conformance/tables.json`.

Python is the source of both. `--check` changes nothing and fails when a committed file differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
CONFORMANCE = ROOT / "conformance"

# Sections of mxgw-py's help whose commands belong to every client's CLI; what stands beside them is Python's alone.
SHARED_COMMANDS = (
    *("version", "smoke", "batch"),
    *("open-session", "close-session", "session-state", "ping", "worker-info", "stream-events", "drain-events"),
    *("register", "unregister", "add-item", "add-item2", "add-buffered-item", "remove-item", "advise"),
    *("advise-supervisory", "unadvise", "suspend", "activate", "set-buffered-update-interval"),
    *("write", "write2", "write-secured", "write-secured2", "authenticate-user", "archestra-user-to-id"),
    *("read-bulk", "subscribe-bulk", "unsubscribe-bulk", "add-item-bulk", "advise-item-bulk", "unadvise-item-bulk"),
    *("remove-item-bulk", "write-bulk", "write2-bulk", "write-secured-bulk", "write-secured2-bulk"),
    *("galaxy-test-connection", "galaxy-last-deploy", "galaxy-discover", "galaxy-browse", "galaxy-watch"),
    *("query-active-alarms", "stream-alarms", "acknowledge-alarm", "bench-read-bulk", "bench-stream-events"),
)
COMMON_OPTIONS = (
    *("--endpoint", "--api-key", "--api-key-env", "--plaintext", "--tls", "--ca-file", "--client-cert", "--client-key"),
    *("--server-name-override", "--timeout", "--shutdown-timeout", "--json"),
)
_CHOICE_OF_ALARMS = ("--area", "--no-sub-areas", "--object", "--glob", "--priority", "--state", "--text")
# Comforts of mxgw-py: a client of another language may leave them out.
PYTHON_ONLY = {
    "": ("--profile",),
    "write": ("TAG", "[VALUE]", "--supervisory", "--user", "--password-env", "--verifier", "--verifier-password-env"),
    "query-active-alarms": (*_CHOICE_OF_ALARMS, "--format", "--utc"),
    "stream-alarms": (*_CHOICE_OF_ALARMS, "--after", "--state-file", "--until-synced", "--extended"),
    "acknowledge-alarm": (*_CHOICE_OF_ALARMS, "--guid", "--stdin", "--expect", "--dry-run"),
}
# In every other CLI the handle form of `write` is the only one.
REQUIRED_ELSEWHERE = {
    "acknowledge-alarm": ("--reference",),
    "write": ("--session-id", "--server-handle", "--item-handle", "--type", "--value"),
}

_ITEM = ["sessionId", "serverHandle", "itemHandle"]
_REPLY = "MxCommandReply"
JSON_KEYS: dict[str, Any] = {
    "version": ["name", "version", "gatewayProtocolVersion", "workerProtocolVersion"],
    "smoke": [
        *("language", "operation", "sessionId", "isSimulated", "serverHandle", "itemHandle", "events"),
        *("writeCompletion?", "closeStatus", "keySource"),
    ],
    "batch": None,
    "open-session": "OpenSessionReply",
    "close-session": "CloseSessionReply",
    "session-state": ["sessionId", "state"],
    "worker-info": "WorkerInfoReply",
    "stream-events": ["sessionId", "events"],
    "drain-events": ["events"],
    "register": ["sessionId", "serverHandle"],
    **dict.fromkeys(("add-item", "add-item2", "add-buffered-item"), _ITEM),
    **{name: ["status"] for name in ("suspend", "activate")},
    **{name: ["sessionId", "userId"] for name in ("authenticate-user", "archestra-user-to-id")},
    **{name: ["results"] for name in SHARED_COMMANDS if name.endswith("-bulk") and not name.startswith("bench")},
    "galaxy-test-connection": ["ok"],
    "galaxy-last-deploy": ["present", "timeOfLastDeploy"],
    "galaxy-discover": ["objects"],
    "galaxy-browse": ["children", "childHasChildren"],
    "galaxy-watch": ["events"],
    "query-active-alarms": ["alarms"],
    "stream-alarms": ["messages"],
    "acknowledge-alarm": "AcknowledgeAlarmReply",
    "bench-read-bulk": [
        *("language", "durationMs", "totalCalls", "successfulCalls", "failedCalls", "totalReadResults"),
        *("cachedReadResults", "callsPerSecond", "latencyMs", "failureLatencyMs"),
    ],
    "bench-stream-events": [
        *("language", "durationMs", "sessionCount", "tagsPerSession", "totalEvents", "eventsPerSecond"),
        *("lostEvents", "latencyMs"),
    ],
}
"""Keys of the document that `--json` prints, in order; a message's name where it is that message. `?`: may be absent.
Commands that are not named print MxCommandReply."""


def cli_contract() -> dict[str, Any]:
    """Commands, options, defaults and JSON keys that every client's CLI has."""
    from mxgateway_cli.main import SECTIONS
    from mxgateway_cli.main import main as group

    context = click.Context(group, info_name="mxgw-py")
    section_of = {name: title for title, names in SECTIONS.items() for name in names}
    common: dict[str, Any] = {}
    commands = []
    for name in SHARED_COMMANDS:
        command = group.get_command(context, name)
        assert command is not None, name
        options = []
        for parameter in command.params:
            described = _parameter(name, parameter)
            if described is None:
                continue
            if described["name"] in COMMON_OPTIONS:
                # The help of --timeout tells streams from other commands; what it takes is the same.
                common.setdefault(described["name"], described)
            else:
                options.append(described)
        help_text = (command.help or "").split("\b")[0].strip().split("\n\n")[0].replace("\n", " ")
        commands.append(
            {
                "name": name,
                "section": section_of[name],
                "help": help_text,
                "connects": any("--endpoint" in each.opts for each in command.params),
                "options": options,
                "json": JSON_KEYS.get(name, _REPLY),
            }
        )
    return {
        "schemaVersion": "1.0",
        "exitCodes": {"done": 0, "failure": 1, "usage": 2, "interrupted": 130, "terminated": 143},
        "batchEndOfRecord": "__MXGW_BATCH_EOR__",
        "commonOptions": [common[name] for name in COMMON_OPTIONS],
        "commands": commands,
    }


def _parameter(command: str, parameter: click.Parameter) -> dict[str, Any] | None:
    name = parameter.opts[0] if isinstance(parameter, click.Option) else str(parameter.metavar or parameter.name)
    if not isinstance(parameter, click.Option):
        name = str(parameter.metavar or (parameter.name or "").upper())
    if name == "--help" or name in PYTHON_ONLY.get("", ()) or name in PYTHON_ONLY.get(command, ()):
        return None
    assert isinstance(parameter, click.Option), f"{command} {name}"
    described: dict[str, Any] = {"name": name, "type": _type(parameter)}
    kind = parameter.type
    if isinstance(kind, click.Choice):
        described["choices"] = [str(each) for each in kind.choices]
    if isinstance(kind, click.IntRange | click.FloatRange):
        for key, bound, is_open in (("min", kind.min, kind.min_open), ("max", kind.max, kind.max_open)):
            if bound is not None:
                described["above" if is_open and key == "min" else key] = bound
    described["required"] = parameter.required or name in REQUIRED_ELSEWHERE.get(command, ())
    described["multiple"] = parameter.multiple
    default = parameter.to_info_dict()["default"]
    described["default"] = default if isinstance(default, str | int | float) and not parameter.is_flag else None
    described["help"] = parameter.help or ""
    return described


def _type(option: click.Option) -> str:
    if option.is_flag:
        return "flag"
    names = {"integer": "int", "integer range": "int", "float range": "float", "choice": "choice", "text": "text"}
    return names.get(option.type.name, option.type.name)


def tables() -> dict[str, Any]:
    """Words and rules that every client has to know alike."""
    import grpc

    from mxgateway import errors, reasons, replies, rpc_errors
    from mxgateway.quality import _NOT_AN_ERROR
    from mxgateway_contract import constants, quality
    from mxgateway_contract.commands import COMMANDS, method_name
    from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
    from mxgateway_contract.status import DETAIL_WORDS

    def kind(error: type[errors.MxGatewayError]) -> str:
        name = error.__name__.removeprefix("MxGateway").removesuffix("Error").lower()
        return "mxaccess" if error is errors.MxAccessError else name

    def by_code(table: dict[grpc.StatusCode, type[errors.MxGatewayError]]) -> dict[str, str]:
        return {code.name: kind(error) for code, error in table.items()}

    return {
        "schemaVersion": "1.0",
        "versions": {
            "gatewayProtocolVersion": constants.GATEWAY_PROTOCOL_VERSION,
            "workerProtocolVersion": constants.WORKER_PROTOCOL_VERSION,
        },
        "limits": {
            "maxBulkItems": constants.MAX_BULK_ITEMS,
            "maxMessageBytes": constants.MAX_MESSAGE_BYTES,
            "envelopeBytes": constants.ENVELOPE_BYTES,
            "maxAggregateEvents": constants.MAX_AGGREGATE_EVENTS,
            "commandWindow": 100,
            "commandsPerMessage": 500,
        },
        "capabilities": {
            name.removeprefix("CAPABILITY_").lower(): value
            for name, value in sorted(vars(constants).items())
            if name.startswith("CAPABILITY_")
        },
        "qualityNames": {str(number): name for number, name in quality._NAMES.items()},
        "statusDetails": {str(number): words for number, words in sorted(DETAIL_WORDS.items())},
        "statusCategoriesWithoutFailure": [pb.MxStatusCategory.Name(each) for each in _NOT_AN_ERROR],
        "errors": {
            "retryableKinds": sorted(
                kind(error)
                for error in vars(errors).values()
                if isinstance(error, type) and issubclass(error, errors.MxGatewayError) and error.retryable_by_class
            ),
            "workerReasonPrefix": reasons.WORKER_REASONS,
            "byReason": {reason: kind(error) for reason, error in reasons.BY_REASON.items()},
            "byCode": by_code(rpc_errors._BY_CODE),
            "ofGateway": by_code(rpc_errors._OF_SESSIONS),
            "ofGalaxy": by_code(rpc_errors._OF_GALAXY),
            "byProtocolStatus": {
                pb.ProtocolStatusCode.Name(pb.ProtocolStatusCode.ValueType(code)): kind(error)
                for code, error in replies.ERROR_OF_STATUS.items()
            },
        },
        "hresultMeanings": [
            {"method": method, "hresult": hresult, "text": text}
            for (method, hresult), text in replies._MEANINGS.items()
        ],
        "commands": {
            command.payload: {"method": method_name(command.kind), "repeatable": command.is_repeatable}
            for command in COMMANDS.values()
        },
    }


FILES: dict[str, Callable[[], dict[str, Any]]] = {"cli.json": cli_contract, "tables.json": tables}


def rendered(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail when a committed file differs")
    check = parser.parse_args().check
    stale = []
    for name, make in FILES.items():
        path, text = CONFORMANCE / name, rendered(make())
        if check and (not path.is_file() or path.read_text(encoding="utf-8") != text):
            stale.append(f"conformance/{name}")
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"differs from the code: {', '.join(stale)}; run `make tables`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
