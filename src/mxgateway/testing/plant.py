"""The plant behind a local gateway, changed from a test: values, qualities, scan states, deployments, alarms."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from mxgateway.house import redact
from mxgateway.values import MxPython, to_mx_value, to_timestamp

_STOP_TIMEOUT = 10.0


class PlantError(ValueError):
    """The plant cannot be changed like this: no such tag or object, or a value that does not fit."""


class LocalPlant:
    """The simulated plant of a LocalGateway, as `gateway.plant`.

    Plain calls, for tests with and without asyncio and for any thread. Nobody's rights are asked: this is the plant,
    not one of its users.

    Attributes:
        settle: the longest that a call waits, in seconds, until every session has seen the change and told its client.
            That takes some hundredths of a second; a worker that hangs may need all of it. With 0 a call waits for
            nobody: a read that begins after it sees the change all the same, a subscription a little later.
    """

    settle = 2.0

    def __init__(self, galaxy_file: Path) -> None:
        self._galaxy_file = galaxy_file
        self._lock = threading.Lock()
        self._console: subprocess.Popen[str] | None = None

    def set(self, tag: str, value: MxPython, *, quality: int = 192, time: datetime | None = None) -> None:
        """Gives a tag a value, as if the process had changed: whatever its security, and in place of its signal.

        Args:
            tag: full reference; an array as `….Name[]`, an element as `….Name[3]`.
            value: see `to_mx_value`; it is coerced to the attribute's type.
            quality: OPC quality word; 192 is good.
            time: its source time (aware); None for now.

        Raises:
            PlantError: there is no such attribute, or the value does not fit it.
        """
        request: dict[str, Any] = {"op": "set", "tag": tag, "quality": quality}
        if time is not None:
            request["timeNs"] = to_timestamp(time).ToNanoseconds()
        self._ask(request | {"value": MessageToDict(to_mx_value(value))})

    def set_quality(self, tag: str, quality: int, *, time: datetime | None = None) -> None:
        """Gives a tag another quality and leaves the value that it has now.

        Raises:
            PlantError: there is no such attribute, or it is no OPC quality word.
        """
        request: dict[str, Any] = {"op": "set", "tag": tag, "quality": quality}
        self._ask(request if time is None else request | {"timeNs": to_timestamp(time).ToNanoseconds()})

    def scan(self, name: str, on: bool) -> None:
        """Puts an object on scan, or takes it off: its tags turn bad. Raises PlantError: there is none."""
        self._ask({"op": "scan", "object": name, "on": on})

    def engine(self, name: str, running: bool) -> None:
        """Starts or stops an engine or a platform, and with it what it hosts. Raises PlantError: there is none."""
        self._ask({"op": "engine", "object": name, "on": running})

    def deploy(self, objects: Iterable[str], *, cascade: bool = False) -> None:
        """Deploys objects, with `cascade` also their hosts and what they host. Raises PlantError."""
        self._ask({"op": "deploy", "objects": list(objects), "cascade": cascade})

    def undeploy(self, objects: Iterable[str], *, cascade: bool = False) -> None:
        """Undeploys objects, with `cascade` also what they host. Raises PlantError."""
        self._ask({"op": "undeploy", "objects": list(objects), "cascade": cascade})

    def raise_alarm(self, *alarms: str, seconds: float = 0) -> list[str]:
        """Raises alarms, whatever their attributes show; returns their names as the Galaxy spells them.

        An alarm is named by its attribute, as in `TestMachine_001.TestAlarm001`, or for the limits of a number as in
        `Tank_01.Level.Hi`. In the gateway's list it stands as `Galaxy!Area.NAME`.

        Args:
            seconds: for how long; 0 until `clear_alarm` or `release_alarm`.

        Raises:
            PlantError: there is no such alarm. Then nothing is changed, as with several of which one is unknown.
        """
        return self._alarm("raise", alarms, seconds=seconds)

    def clear_alarm(self, *alarms: str, seconds: float = 0) -> list[str]:
        """Ends alarms, whatever their attributes show; see `raise_alarm`. What nobody has acknowledged stays in the
        list as returned."""
        return self._alarm("clear", alarms, seconds=seconds)

    def release_alarm(self, *alarms: str) -> list[str]:
        """Leaves alarms that were raised or ended to their attributes again; see `raise_alarm`."""
        return self._alarm("release", alarms)

    def acknowledge_alarm(self, *alarms: str, comment: str = "", operator: str = "", node: str = "") -> list[str]:
        """Acknowledges alarms as an operator on the plant's own screens does, past the gateway; see `raise_alarm`.

        Raises:
            PlantError: there is no such alarm, or it cannot be acknowledged.
        """
        return self._alarm("acknowledge", alarms, comment=comment, user=operator, node=node)

    def shelve_alarm(self, *alarms: str, hours: float = 1.0, reason: str = "test", operator: str = "") -> list[str]:
        """Shelves alarms, or ends that with 0 hours; see `raise_alarm`.

        Raises:
            PlantError: there is no such alarm, or duration or reason is out of bounds.
        """
        return self._alarm("shelve", alarms, hours=hours, reason=reason, user=operator)

    def dismiss_alarm(self, *alarms: str) -> list[str]:
        """Ends latched alarms; see `raise_alarm`. Raises PlantError: one is not latched."""
        return self._alarm("dismiss", alarms)

    def alarm_storm(
        self, count: int = 100, *, area: str = "", within: float = 30.0, seconds: float = 30.0, seed: int = 1
    ) -> int:
        """Lets alarms come up one after the other; returns how many take part.

        Args:
            area: tag name of the area in which it strikes; empty for the whole Galaxy.
            within: seconds from the first to the last.
            seconds: how long each stays.
            seed: the same seed strikes the same alarms in the same order.

        Raises:
            PlantError: there is no such area, or no alarm in it.
        """
        request = {"count": count, "area": area, "within": within, "seconds": seconds, "seed": seed}
        return int(self._ask({"op": "storm", **request}))

    def _alarm(self, verb: str, alarms: Iterable[str], **facts: Any) -> list[str]:
        names = list(alarms)
        if not names:
            raise PlantError(f"which alarms are to {verb}? Give their names")
        return list(self._ask({"op": "alarm", verb: names, **facts}))

    def reset(self) -> None:
        """Forgets all that was written or set: values, qualities, alarms and what was done to them, scan states,
        stopped engines.

        Deployments stay as they are.
        """
        self._ask({"op": "reset"})

    def close(self) -> None:
        """Ends what carries the changes out. Idempotent; the gateway's end does it, too."""
        with self._lock:
            console, self._console = self._console, None
            if console is not None:
                _end(console)

    def _ask(self, request: dict[str, Any]) -> Any:
        with self._lock:
            if self._console is None:
                self._console = self._started()
            console = self._console
            assert console.stdin is not None
            assert console.stdout is not None
            try:
                console.stdin.write(json.dumps(request | {"settle": self.settle}) + "\n")
                console.stdin.flush()
                line = console.stdout.readline()
            except OSError:
                line = ""
            if not line:
                self._console = None
                raise PlantError(f"the plant's console has ended: {_last_words(console)}")
        answer = json.loads(line)
        if "error" in answer:
            raise PlantError(answer["error"])
        return answer["ok"]

    def _started(self) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - our own program, and a path that the test kit made
            [sys.executable, "-P", "-m", "mxgateway_server", "galaxy", "operate", "--galaxy", str(self._galaxy_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1"},
            start_new_session=True,
        )


def _last_words(console: subprocess.Popen[str]) -> str:
    _, err = console.communicate(timeout=_STOP_TIMEOUT)
    return redact(err).strip()[-2000:] or f"exit code {console.returncode}"


def _end(console: subprocess.Popen[str]) -> None:
    try:
        console.communicate(timeout=_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        console.kill()
        console.communicate()
