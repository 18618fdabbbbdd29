"""What is looked at, and when it is a problem. Pure: facts in, a problem or None out."""

from __future__ import annotations

from mxgateway_server.health.readiness import Problem, Rule

STORE = "store"
WORKERS = "workers"
GALAXY = "galaxy"
LOOP = "loop"
AUDIT = "audit"
DISK = "disk"
CERTIFICATE = "certificate"
ALARMS = "alarms"
STOPPING = "stopping"

_STORE_SECONDS = 5.0
_AUDIT_WAITING = 10_000
_LAG_SECONDS = 1.0
_FREE_BYTES = 64 * 1024 * 1024


def rules(*, galaxy_is_needed: bool, audit_is_needed: bool) -> list[Rule]:
    """Every check with its patience."""
    return [
        Rule(name=STORE, is_needed=True, down_after=10.0),
        Rule(name=WORKERS, is_needed=True),
        Rule(name=GALAXY, is_needed=galaxy_is_needed, down_after=60.0),
        Rule(name=LOOP, is_needed=True, down_after=30.0, up_after=10.0),
        Rule(name=AUDIT, is_needed=audit_is_needed, down_after=30.0),
        Rule(name=DISK, is_needed=False),
        Rule(name=CERTIFICATE, is_needed=False),
        Rule(name=ALARMS, is_needed=False, down_after=5.0),
        Rule(name=STOPPING, is_needed=True),
    ]


def stopping_problem(is_stopping: bool, is_draining: bool) -> Problem | None:
    """Whether new clients are welcome at all."""
    if not (is_stopping or is_draining):
        return None
    return Problem(
        "the gateway is stopping" if is_stopping else "the gateway is drained: open sessions go on, no new one opens",
        "use another gateway, or wait until this one is back",
    )


def store_problem(age_seconds: float) -> Problem | None:
    """Age of the last look at the key store."""
    if age_seconds <= _STORE_SECONDS:
        return None
    return Problem(
        f"the key store has not answered for {age_seconds:.0f} s",
        "look whether authentication.database can be reached and is not locked; the log says what it answered",
    )


def workers_problem(can_serve: bool, last_failure: str) -> Problem | None:
    """Whether a worker is ready, or the last start of one succeeded."""
    if can_serve:
        return None
    return Problem(
        f"no worker starts: {last_failure}" if last_failure else "no worker starts",
        "run `mxgateway doctor`; worker.command and worker.backend are the settings to look at",
    )


def galaxy_problem(status: str, reason: str) -> Problem | None:
    """State of the Galaxy: `unavailable` only when nothing at all can be served."""
    if status in ("healthy", "stale", "unknown"):
        return None
    return Problem(
        f"no Galaxy can be served: {reason}" if reason else "no Galaxy can be served",
        "run `mxgateway check-config --deep`; galaxy.connection_string is the setting to look at",
    )


def loop_problem(late_seconds: float) -> Problem | None:
    """The most that the event loop was late by in the last ten seconds."""
    if late_seconds < _LAG_SECONDS:
        return None
    return Problem(
        f"the gateway is {late_seconds:.1f} s behind with its work",
        "give it more CPU, or fewer sessions and events: `event_loop_lag` in the log shows since when",
    )


def audit_problem(waiting: int, failures: int) -> Problem | None:
    """Records that wait to be stored, and attempts in a row that failed."""
    if waiting < _AUDIT_WAITING and not failures:
        return None
    return Problem(
        f"{waiting} audit records wait to be stored" + (f"; {failures} attempts failed in a row" if failures else ""),
        "look whether authentication.database can be written, and whether its disk is full",
    )


def disk_problem(free_bytes: int | None, folder: str) -> Problem | None:
    """Free space where the state directory is; None when it cannot be written at all."""
    if free_bytes is None:
        return Problem(f"{folder} cannot be written", "give the gateway's account the right to write it (state_dir)")
    if free_bytes >= _FREE_BYTES:
        return None
    return Problem(
        f"only {free_bytes // 1024 // 1024} MiB are free in {folder}",
        "make room: keys, audit and the Galaxy's snapshot are kept there (state_dir)",
    )


def certificate_problem(seconds_left: float, warn_days: int, problem: str) -> Problem | None:
    """Validity of the certificate that the TLS endpoint presents, and why a newer one is not taken."""
    remedy = "`mxgateway cert show` tells more; `mxgateway cert renew` makes one that is valid"
    if seconds_left <= 0:
        return Problem("the TLS certificate has expired", remedy)
    if problem:
        return Problem(f"the certificate files are not taken: {problem}", remedy)
    days = seconds_left / 86_400
    if days >= warn_days:
        return None
    return Problem(f"the TLS certificate expires in {days:.0f} days", remedy)


def alarms_problem(state: str, is_uncertain: bool, reason: str) -> Problem | None:
    """The alarm monitor: whether anybody tells it alarms; what it keeps of before is not enough."""
    if not is_uncertain:
        return None
    return Problem(
        f"the alarm monitor is {state}: {reason}",
        "its list is the last known; the log says what its worker answered, and the settings alarms.* what it asks for",
    )
