"""What a case wants the gateway to do, call by call. Without I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mxgateway.testing.scripted.matching import differences

ACTIONS = ("headers", "send", "events", "status", "wait_for", "hold", "drop_connection")
"""What a rule may do, one of them in each step."""


class ScriptError(ValueError):
    """The script is wrong; the text says where."""


@dataclass
class Rule:
    """How calls are answered that fit.

    Attributes:
        on: name of the RPC, or `Command` for a command by Invoke and InvokeStream alike.
        match: subset of the request; see `differences`.
        do: steps, in order.
        left: calls that it still answers; None for all.
    """

    on: str
    match: dict[str, Any] = field(default_factory=dict)
    do: list[dict[str, Any]] = field(default_factory=list)
    left: int | None = None


class Script:
    """The server's part of a case."""

    def __init__(self, document: dict[str, Any], rpcs: frozenset[str]) -> None:
        """Reads it.

        Raises:
            ScriptError: an unknown key, RPC or action.
        """
        known = {"capabilities", "rules", "open_session", "tls", "objects"}
        if unknown := set(document) - known:
            raise ScriptError(f"server has no {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}")
        self.capabilities: list[str] = document.get("capabilities", ["bulk-read-commands", "bulk-write-commands"])
        self.open_session: dict[str, Any] = document.get("open_session", {})
        self.objects: list[dict[str, Any]] = document.get("objects", [])
        self.rules = [_rule(each, rpcs) for each in document.get("rules", [])]

    def take(self, rpc: str, request: dict[str, Any]) -> list[dict[str, Any]] | None:
        """The steps of the first rule that fits and is not used up; None where there is none."""
        for rule in self.rules:
            if rule.on == rpc and rule.left != 0 and not differences(rule.match, request):
                if rule.left is not None:
                    rule.left -= 1
                return rule.do
        return None


def _rule(document: dict[str, Any], rpcs: frozenset[str]) -> Rule:
    if unknown := set(document) - {"on", "match", "do", "times"}:
        raise ScriptError(f"a rule has no {', '.join(sorted(unknown))}")
    on = document.get("on", "")
    if on not in rpcs and on != "Command":
        raise ScriptError(f"there is no RPC {on!r}")
    steps = document.get("do", [])
    for step in steps:
        if len(set(step) & set(ACTIONS)) != 1:
            raise ScriptError(f"{step} is no step; one has one of {', '.join(ACTIONS)}")
    return Rule(on, document.get("match", {}), steps, document.get("times"))
