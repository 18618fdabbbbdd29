"""Which provider speaks: the alarm manager, or the attributes of the alarms when it does not answer.

Both are armed from the start. Only what the alarm manager's polls come to is needed to decide.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Speaker(IntEnum):
    """AlarmProviderMode of the contract."""

    NONE = 0
    ALARM_MANAGER = 1
    ATTRIBUTES = 2


class Reason(IntEnum):
    """AlarmProviderReason of the contract, as far as a worker has them."""

    STARTED = 1
    FORCED = 2
    SUBSCRIBE_FAILED = 3
    POLL_FAILED = 4
    POLL_TOO_SLOW = 5
    BROKEN_RECORDS = 6
    RECOVERED = 7
    MISCONFIGURED = 11


class FailoverSettings(NamedTuple):
    """When to change over, and when to come back.

    Attributes:
        threshold: failures in a row of the alarm manager.
        probe_interval: seconds between two looks at whether it answers again.
        stable_probes: answers in a row that bring it back.
    """

    threshold: int = 3
    probe_interval: float = 30.0
    stable_probes: int = 3


class Failure(NamedTuple):
    """Why the alarm manager did not answer."""

    reason: Reason
    text: str
    hresult: int | None = None


class Switch(NamedTuple):
    """From now on this provider speaks."""

    speaker: Speaker
    reason: Reason
    text: str
    hresult: int | None = None
    is_forced: bool = False


class FailoverPolicy:
    """Decides for one subscription.

    Args:
        forced: the only provider that may speak; NONE to choose.
    """

    def __init__(self, settings: FailoverSettings, forced: Speaker = Speaker.NONE) -> None:
        self._settings = settings
        self._forced = forced
        self.has_attributes = False
        """Whether attributes are watched, and have all told their first values."""
        self.speaker = Speaker.NONE
        self.failures = 0
        """Failures of the alarm manager since its last answer."""
        self.total_failures = 0
        self._good_probes = 0

    def use(self, settings: FailoverSettings) -> None:
        """Decides by other settings from now on."""
        self._settings = settings

    @property
    def polls_alarm_manager(self) -> bool:
        """Whether the alarm manager is asked at all."""
        return self._forced is not Speaker.ATTRIBUTES

    @property
    def is_probing(self) -> bool:
        """Whether the attributes speak, so that the alarm manager is only looked at from time to time."""
        return self.speaker is Speaker.ATTRIBUTES

    @property
    def probe_interval(self) -> float:
        return self._settings.probe_interval

    def attributes_ready(self) -> Switch | None:
        """The watched attributes have all told their first values."""
        if self._forced is Speaker.ATTRIBUTES and self.speaker is not Speaker.ATTRIBUTES:
            return self._switch(Speaker.ATTRIBUTES, Reason.FORCED, "the settings ask for the attributes")
        return None

    def answered(self) -> Switch | None:
        """The alarm manager has answered a poll."""
        self.failures = 0
        if self.speaker is Speaker.ALARM_MANAGER:
            return None
        if self.speaker is Speaker.ATTRIBUTES:
            self._good_probes += 1
            if self._good_probes < self._settings.stable_probes:
                return None
            return self._switch(
                Speaker.ALARM_MANAGER,
                Reason.RECOVERED,
                f"the alarm manager has answered {self._good_probes} times in a row",
            )
        if self._forced is Speaker.ALARM_MANAGER:
            return self._switch(Speaker.ALARM_MANAGER, Reason.FORCED, "the settings ask for the alarm manager")
        reason = Reason.RECOVERED if self.total_failures else Reason.STARTED
        return self._switch(Speaker.ALARM_MANAGER, reason, "the alarm manager answers")

    def failed(self, failure: Failure) -> Switch | None:
        """The alarm manager has not answered, or not with a list."""
        self.failures += 1
        self.total_failures += 1
        self._good_probes = 0
        if self.speaker is Speaker.ATTRIBUTES or self.failures < self._settings.threshold:
            return None
        text = f"{failure.text} ({self.failures} times in a row)"
        if self.has_attributes and self._forced is Speaker.NONE:
            return self._switch(Speaker.ATTRIBUTES, failure.reason, text, failure.hresult)
        if self.speaker is Speaker.NONE and self.failures > self._settings.threshold:
            return None  # told already
        return self._switch(Speaker.NONE, failure.reason, text, failure.hresult)

    def attributes_given(self) -> Switch | None:
        """There are attributes to watch now, and they have told: they speak where nobody does."""
        if self._forced is Speaker.NONE and self.speaker is Speaker.NONE and self.failures >= self._settings.threshold:
            return self._switch(Speaker.ATTRIBUTES, Reason.POLL_FAILED, "the alarm manager does not answer")
        return self.attributes_ready()

    def _switch(self, speaker: Speaker, reason: Reason, text: str, hresult: int | None = None) -> Switch:
        self.speaker = speaker
        self._good_probes = 0
        return Switch(speaker, reason, text, hresult, self._forced is not Speaker.NONE)
