"""The alarms: those of now, their course, their figures, and acknowledging them."""

from __future__ import annotations

from datetime import timedelta

from starlette.responses import Response

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.access.scopes import Scope
from mxgateway_server.alarms.component import AlarmComponent
from mxgateway_server.dashboard.calls import Call, ProblemError, data
from mxgateway_server.dashboard.inward import ask, ask_all, plain
from mxgateway_server.errors import AlarmsUnavailableError

MAX_SHOWN = 500
MAX_TOGETHER = 200
MAX_HOURS = 24 * 31
MAX_SHELVED_MINUTES = 60 * 24 * 31
WAIT_SECONDS = 5.0
"""How long somebody waits at most until the plant has done what he asked for; what comes later he sees in the list."""


class AlarmRoutes:
    """The routes under `/alarms`; each shows what the key may see of the alarms.

    Args:
        alarms: None when the gateway keeps none.
        longest_wait: seconds that a call may wait for its change, by the settings.
    """

    def __init__(self, alarms: AlarmComponent | None, longest_wait: float) -> None:
        self._alarms = alarms
        self._wait = timedelta(seconds=min(WAIT_SECONDS, longest_wait))

    def _require(self) -> AlarmComponent:
        if self._alarms is None:
            raise ProblemError(
                409,
                "NO_ALARMS",
                "this gateway keeps no alarms",
                "set alarms.enabled and alarms.default_area, and start it again",
            )
        return self._alarms

    async def listed(self, call: Call) -> Response:
        """The alarms in the list, the most urgent first, and how the monitor is doing."""
        alarms = self._require()
        status = plain(await ask(call, alarms.calls.get_alarm_monitor_status, pb.GetAlarmMonitorStatusRequest()))
        request = pb.QueryActiveAlarmsRequest(order=pb.ALARM_ORDER_PRIORITY, limit=MAX_SHOWN + 1)
        try:
            sent = await ask_all(call, alarms.calls.query_active_alarms, request)
        except AlarmsUnavailableError as error:
            return data({"status": status, "alarms": [], "isCut": False, "problem": str(error)})
        shown = [plain(pb.ActiveAlarmSnapshot.FromString(each)) for each in sent[:MAX_SHOWN]]
        return data({"status": status, "alarms": shown, "isCut": len(sent) > MAX_SHOWN, "problem": ""})

    async def history(self, call: Call) -> Response:
        """One page of what happened, the youngest first."""
        alarms = self._require()
        request = pb.QueryAlarmHistoryRequest(page_size=100, limit=100, page_token=call.query("page"))
        text = call.query("text", at_most=200)
        if text:
            request.filter.text = text
        (sent,) = await ask_all(call, alarms.calls.query_alarm_history, request)
        return data(plain(pb.AlarmHistoryPage.FromString(sent)))

    async def figures(self, call: Call) -> Response:
        """The figures of the last hours."""
        alarms = self._require()
        request = pb.GetAlarmStatisticsRequest(top=10)
        request.window.FromSeconds(3600 * (call.number("hours", 24, at_most=MAX_HOURS) or 1))
        return data(plain(await ask(call, alarms.calls.get_alarm_statistics, request)))

    async def acknowledge(self, call: Call) -> Response:
        """Acknowledges the occurrences that somebody saw, and no later ones."""
        alarms = self._require()
        request = pb.AcknowledgeAlarmsRequest(comment=call.text("comment", at_most=256))
        for target in _targets(call):
            request.alarms.add(**target)
        request.wait_for_transition.FromTimedelta(self._wait)
        return data(plain(await ask(call, alarms.calls.acknowledge_alarms, request)))

    async def shelve(self, call: Call) -> Response:
        """Shelves the occurrences that somebody saw for some minutes, with a reason; 0 minutes end their shelving."""
        alarms = self._require()
        request = pb.ShelveAlarmsRequest(targets=[pb.AlarmTarget(**target) for target in _targets(call)])
        minutes = call.body.get("minutes")
        if not isinstance(minutes, int) or isinstance(minutes, bool) or not 0 <= minutes <= MAX_SHELVED_MINUTES:
            raise ProblemError(400, "INVALID_REQUEST", f"minutes: write a whole number from 0 to {MAX_SHELVED_MINUTES}")
        request.duration.FromSeconds(60 * minutes)
        request.reason = call.text("reason", at_most=200, is_needed=minutes > 0)
        request.wait_for_transition.FromTimedelta(self._wait)
        return data(plain(await ask(call, alarms.calls.shelve_alarms, request)))


def _targets(call: Call) -> list[dict[str, str]]:
    if Scope.INVOKE_WRITE not in call.who.scopes:
        raise ProblemError(
            403,
            "SCOPE",
            "acknowledging and shelving write to the plant, which you may not",
            "an administrator gives your key the scope invoke:write (mxgateway apikey change --scopes), or sets "
            "dashboard.people_acknowledge for those without a key",
        )
    wanted = call.body.get("alarms")
    if not isinstance(wanted, list) or not 0 < len(wanted) <= MAX_TOGETHER:
        raise ProblemError(400, "INVALID_REQUEST", f"alarms: name 1 to {MAX_TOGETHER} of them")
    if not all(isinstance(each, dict) for each in wanted):
        raise ProblemError(400, "INVALID_REQUEST", "alarms: each has a reference and a guid")
    return [
        {
            "alarm_full_reference": str(each.get("reference", ""))[:512],
            "expected_guid": str(each.get("guid", ""))[:80],
        }
        for each in wanted
    ]
