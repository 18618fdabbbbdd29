"""`mxgateway doctor`: what this node lacks to serve MXAccess, and the remedy. Pure: it asks a Node.

Each check stands on the ones before it: where those failed, it says so instead of guessing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mxgateway_contract import hresults
from mxgateway_contract.windows_rights import closing_line
from mxgateway_server.node.facts import CLASS_ID, Node, Wanted
from mxgateway_server.node.findings import Finding, Level
from mxgateway_server.node.programs import program_of
from mxgateway_server.workers.exits import FIRST_NTSTATUS, exit_text

PROG_ID = "LMXProxy.LMXProxyServer.1"
PROVISION = "mxgateway worker provision"
REPAIR = "repair System Platform's run time (its installer, Modify or Repair)"
OLDEST_PYTHON, ADVISED_PYTHON = (3, 11), (3, 13)
ACTIVATION_SECONDS = 60.0
"""Limit of making the object: on a cold node LMXProxy starts services of its own first."""

ABOUT_PYTHON = (
    "import json,struct,sys\n"
    "found={'version':list(sys.version_info[:3]),'bits':struct.calcsize('P')*8}\n"
    "try:\n"
    "    import google.protobuf\n"
    "    from google.protobuf.internal import api_implementation\n"
    "    found['protobuf']=google.protobuf.__version__\n"
    "    found['implementation']=api_implementation.Type()\n"
    "    import mxgateway_worker\n"
    "    found['worker']=mxgateway_worker.__version__\n"
    "except ImportError as error:\n"
    "    found['missing']=error.name or str(error)\n"
    "print(json.dumps(found))\n"
)


def examine(node: Node, wanted: Wanted) -> Iterator[Finding]:
    """All checks of the plant side in order, each as it is done: some take seconds."""
    if not node.is_windows:
        yield Finding(
            Level.NOTE,
            "operating system",
            "not Windows, so MXAccess cannot be here; the simulator and the Galaxy browse work",
            "run the gateway with worker.backend = com on a System Platform node, or stay with the simulator",
        )
        for check in ("gateway", "worker's Python", "MXAccess", "activation", "state directory"):
            yield Finding(Level.SKIPPED, check, "concerns Windows only")
        return
    yield Finding(Level.OK, "operating system", "Windows")
    yield _gateway(node)
    python = _python(node, wanted)
    yield python
    registered = _registered(node)
    yield registered
    if python.level is Level.ERROR or registered.level is Level.ERROR:
        yield Finding(Level.SKIPPED, "activation", "needs the worker's Python and MXAccess, see above")
    else:
        yield from _activated(node, wanted)
    yield _private(node, wanted)


def _gateway(node: Node) -> Finding:
    if node.bits == 64:
        return Finding(Level.OK, "gateway", "a 64-bit Python")
    return Finding(
        Level.WARNING,
        "gateway",
        f"a {node.bits}-bit Python: several packages of the gateway have no builds for it",
        "run the gateway on a 64-bit Python, and its workers on a 32-bit one (worker.com_python)",
    )


def _python(node: Node, wanted: Wanted) -> Finding:
    check, path = "worker's Python", wanted.com_python
    if not path:
        return Finding(Level.ERROR, check, "worker.com_python is not set", f"{PROVISION}, which finds or takes one")
    file = node.file(path)
    if not file.is_there:
        return Finding(Level.ERROR, check, f"{path} is not there", f"correct worker.com_python, or {PROVISION}")
    if file.problem:
        return Finding(
            Level.ERROR,
            check,
            f"{path} cannot be read: {file.problem}",
            "give the gateway's account the right to read it",
        )
    program = program_of(file.head, file.size)
    if program.bits != 32:
        return Finding(
            Level.ERROR,
            check,
            f"{path} is {program.text}; LMXProxy is a 32-bit DLL and needs a 32-bit program",
            f"install a 32-bit Python, then {PROVISION}",
        )
    variables = {**wanted.variables, **({"PYTHONPATH": wanted.com_packages} if wanted.com_packages else {})}
    run = node.run(path, "-s", "-c", ABOUT_PYTHON, variables=variables, seconds=30)
    about = _json(run.output) if run.code == 0 else None
    if about is None:
        why = run.problem or end_text(run.code)
        return Finding(Level.ERROR, check, f"{path} does not run: {why}", f"repair it, or {PROVISION} another")
    return _judge_python(check, path, about, wanted)


def _judge_python(check: str, path: str, about: dict[str, Any], wanted: Wanted) -> Finding:
    version = tuple(about["version"][:2])
    text = ".".join(map(str, about["version"]))
    if version < OLDEST_PYTHON:
        return Finding(
            Level.ERROR,
            check,
            f"{path} is Python {text}; 3.11 is the oldest",
            f"install a newer one, then {PROVISION}",
        )
    if about.get("missing"):
        # The package's name is not the one that it is imported by.
        lacks = {"google": "protobuf", "google.protobuf": "protobuf"}.get(about["missing"], about["missing"])
        return Finding(Level.ERROR, check, f"Python {text} lacks {lacks}", PROVISION)
    if about["worker"] != wanted.worker_version:
        place = wanted.com_packages or path
        return Finding(
            Level.ERROR,
            check,
            f"the worker in {place} is version {about['worker']}, the gateway {wanted.worker_version}",
            f"{PROVISION}, which brings them to one version",
        )
    if about["implementation"] == "python":
        return Finding(
            Level.WARNING,
            check,
            f"protobuf {about['protobuf']} runs without its compiled part, about 30 times slower",
            f"{PROVISION}, with a wheel of protobuf for win32",
        )
    found = f"32-bit Python {text}, worker {about['worker']}, protobuf {about['protobuf']}"
    if version < ADVISED_PYTHON:
        found += "; 3.13 or newer has finer clocks"
    return Finding(Level.OK, check, found)


def _registered(node: Node) -> Finding:
    check = "MXAccess"
    here = node.registration(CLASS_ID, 32)
    if here is None:
        elsewhere = node.registration(CLASS_ID, 64)
        if elsewhere is not None:
            return Finding(
                Level.ERROR,
                check,
                f"{PROG_ID} is registered for 64-bit programs only",
                f'as an administrator: C:\\Windows\\SysWOW64\\regsvr32.exe "{elsewhere.server}"; if it is refused, '
                + REPAIR,
            )
        return Finding(
            Level.ERROR,
            check,
            f"{PROG_ID} is not registered",
            "install System Platform's run time (Application Server bootstrap with MXAccess) on this node",
        )
    file = node.file(here.server)
    if not file.is_there:
        return Finding(Level.ERROR, check, f"its DLL {here.server} is not there", REPAIR)
    program = program_of(file.head, file.size)
    if program.bits != 32:
        return Finding(Level.ERROR, check, f"its DLL {here.server} is {program.text}, not 32-bit", REPAIR)
    version = f", version {file.version}" if file.version else ""
    if here.threading_model.lower() != "apartment":
        return Finding(
            Level.WARNING,
            check,
            f"{here.server}{version}; ThreadingModel is {here.threading_model or 'not set'}, not Apartment",
            f"{REPAIR}: LMXProxy is made for one apartment",
        )
    return Finding(Level.OK, check, f"{here.server}{version}")


def _activated(node: Node, wanted: Wanted) -> Iterator[Finding]:
    check = "activation"
    variables = {**wanted.variables, **({"PYTHONPATH": wanted.com_packages} if wanted.com_packages else {})}
    tag = ("--tag", wanted.probe_tag) if wanted.probe_tag else ()
    run = node.run(
        wanted.com_python,
        "-P",
        "-m",
        "mxgateway_worker.backends.com.probe",
        *tag,
        variables=variables,
        seconds=ACTIVATION_SECONDS,
    )
    told = _json(run.output)
    if told is None:
        what = run.problem or end_text(run.code)
        yield Finding(
            Level.ERROR,
            check,
            f"the probe gave no answer: {what}",
            "look for LMXProxy in Windows' event log; restart the node",
        )
        return
    if "hresult" in told:
        yield Finding(Level.ERROR, check, *_refused(told, node.account))
        return
    yield Finding(
        Level.OK,
        check,
        f"LMXProxy made in {told['milliseconds']} ms, ILMXProxyServer{told['interface']}, Register (in "
        f"{told.get('registerMilliseconds', 0)} ms) and AddItem answer{_asked_by(node.account)}",
    )
    if wanted.probe_tag:
        yield _tag(wanted.probe_tag, told.get("tag"))


def _asked_by(account: str) -> str:
    """MXAccess may answer one account and not another: the service's need not be the one that asks now."""
    return f"; asked as {account}" if account else ""


def _refused(told: dict[str, Any], account: str) -> tuple[str, str]:
    step, hresult = told["step"], int(told["hresult"])
    text = f": {told['text']}" if told.get("text") else ""
    found = f"{step} fails with {hresults.text(hresult)}{text}{_asked_by(account)}"
    if hresult == hresults.E_ACCESSDENIED:
        return found, (
            "check the run-time licence (License Manager), and that this account, and the service's, may use MXAccess"
        )
    if hresult == hresults.REGDB_E_CLASSNOTREG:
        return found, "install or repair System Platform's run time on this node"
    return found, "look for LMXProxy in Windows' event log and in the SMC log viewer"


def _tag(tag: str, told: dict[str, Any] | None) -> Finding:
    check = "first value"
    if told is None:
        return Finding(
            Level.WARNING, check, f"{tag}: nothing came in time", "is its object deployed, and its engine running?"
        )
    if not told["success"]:
        return Finding(
            Level.WARNING,
            check,
            f"{tag}: category {told['category']}, detail {told['detail']}",
            "check the spelling in Object Viewer",
        )
    vartypes = told.get("vartypes", {})
    shapes = "".join(f", {name} {vartype}" for name, vartype in sorted(vartypes.items(), reverse=True))
    statuses = f", {told['statuses']} statuses" if told.get("statuses", 1) != 1 else ""
    return Finding(
        Level.OK, check, f"{tag}: quality {told['quality']} after {told['milliseconds']} ms{shapes}{statuses}"
    )


def _private(node: Node, wanted: Wanted) -> Finding:
    check, path = "state directory", wanted.state_directory
    try:
        others = node.others_may_read(path)
    except OSError as error:
        return Finding(
            Level.WARNING,
            check,
            f"{path}: its rights cannot be read: {error.strerror or error}",
            "run doctor as an administrator, or as the gateway's account",
        )
    if others:
        return Finding(
            Level.ERROR,
            check,
            f"{path} can be read by {', '.join(others)}; it holds the keys' pepper and the TLS key",
            closing_line(path),
        )
    return Finding(Level.OK, check, f"{path}: owner, SYSTEM and administrators only")


def end_text(code: int | None) -> str:
    """How a program ended. Its own small codes are not the worker's; those of Windows have names."""
    return exit_text(code) if code is not None and code >= FIRST_NTSTATUS else f"exit code {code}"


def _json(text: str) -> dict[str, Any] | None:
    """The last line that is a JSON object: whatever a DLL prints comes before it."""
    for line in reversed(text.splitlines()):
        if line.startswith("{"):
            try:
                told = json.loads(line)
            except ValueError:
                continue
            return told if isinstance(told, dict) else None
    return None
