"""The open questions about MXAccess, what is assumed until a node answers, and whether an answer is so. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OK = "0x00000000"
E_INVALIDARG = "0x80070057"

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that the published facts leave open.

    Attributes:
        text: the question.
        assumed: parts of the answer that are assumed; empty where nothing is, and the answer is only noted.
        switch: switch of the simulator that makes it behave otherwise; empty where none does.
        writes: whether asking writes to a tag.
    """

    text: str
    assumed: Answer = field(default_factory=dict)
    switch: str = ""
    writes: bool = False

    def is_as_assumed(self, found: Answer) -> bool | None:
        """Whether an answer is what is assumed; None where nothing is assumed."""
        if not self.assumed:
            return None
        return all(found.get(name) == value for name, value in self.assumed.items())


QUESTIONS: Mapping[str, Question] = {
    "versions": Question("Interface version and file version of LMXProxy?"),
    "register-time": Question("How long do Register, AddItem and Unregister take on a warm node?"),
    "time-zone": Question(
        "Are time stamps UTC? (A value that changes now must have a time near now.)", {"isNearNow": True}
    ),
    "first-value": Question(
        "How many callbacks come until a tag's first good value, and when?",
        {"callbacks": 1},
        switch="waiting_callback_first",
    ),
    "statuses": Question("How many statuses has an event?", {"counts": [1]}),
    "arrays": Question("Do arrays arrive whole, and with which VARTYPE?"),
    "unknown-object": Question(
        "Which status has a reference to an object that is not there?",
        {"status": [0, 4, 1, 6], "quality": 4},
        switch="bad_reference_detail",
    ),
    "unknown-attribute": Question(
        "Which status has a reference to an attribute that is not there?",
        {"status": [0, 4, 1, 6], "quality": 4},
        switch="bad_reference_detail",
    ),
    "bare-array": Question(
        "Which status has an array without brackets?", {"status": [0, 4, 1, 1003]}, switch="bare_array_category"
    ),
    "bad-server-handle": Question(
        "What does a call with a server handle that never was answer?", {"hresult": E_INVALIDARG}
    ),
    "bad-item-handle": Question(
        "What does a call with an item handle that never was answer?", {"hresult": E_INVALIDARG}
    ),
    "after-unregister": Question("What does a call after Unregister answer?", {"hresult": E_INVALIDARG}),
    "double-advise": Question("What does a second Advise answer?", {"hresult": OK}, switch="double_advise"),
    "unadvise-unadvised": Question(
        "What does UnAdvise of an item that is not advised answer?", {"hresult": OK}, switch="unadvise_unadvised"
    ),
    "remove-advised": Question(
        "What does RemoveItem of an advised item answer?", {"hresult": OK}, switch="remove_advised"
    ),
    "handle-reuse": Question("Is the handle of a removed item given again?", {"isReused": False}),
    "shared-handle": Question(
        "Do two AddItem of one reference share a handle?", {"isShared": False}, switch="equal_references_share_handle"
    ),
    "suspend": Question(
        "What does Suspend of an advised item answer, and which events follow?",
        {"status": [-1, 1, 0, 0], "operationComplete": [-1, 0, 0, 0], "quality": 32},
        switch="suspended_callback",
    ),
    "suspend-twice": Question(
        "What does Suspend of a suspended item answer?", {"status": [-1, 0, 0, 0]}, switch="suspend_again"
    ),
    "activate": Question(
        "What does Activate of a suspended item answer, and which events follow?",
        {"status": [-1, 1, 0, 0], "operationComplete": [-1, 0, 0, 0]},
        switch="operation_complete_on_activate",
    ),
    "suspend-unadvised": Question(
        "What does Suspend of an item that is not advised answer?",
        {"status": [0, 4, 0, 0]},
        switch="suspend_unadvised_fails",
    ),
    "buffered-item": Question(
        "What does OnBufferedDataChange carry, and is a plain attribute refused?", switch="buffered_batch"
    ),
    "user-guid": Question(
        "What does ArchestrAUserToId of an unknown GUID answer? (With security off: user 1.)",
    ),
    "event-rate": Question("How many events a second come, and what is the longest pause between two?"),
    "many-items": Question("How long do AddItem, Advise, UnAdvise and RemoveItem of many items take?"),
    "write-order": Question(
        "Does OnWriteComplete come before the OnDataChange of the same write, and how often?",
        {"order": ["OnWriteComplete", "OnDataChange"]},
        switch="write_completion_first",
        writes=True,
    ),
    "write-status": Question(
        "Which status has the completion of a write?",
        {"status": [-1, 0, 5, 0]},
        switch="write_ok_source",
        writes=True,
    ),
    "write-time": Question(
        "Does a value written with a time come back with that time?", {"isWrittenTime": True}, writes=True
    ),
    "coerce-boolean": Question("What becomes of true in this attribute?", switch="coercion", writes=True),
    "coerce-text": Question("What becomes of the text 7 in this attribute?", switch="coercion", writes=True),
    "coerce-number": Question("What becomes of 2.5 in this attribute?", switch="coercion", writes=True),
    "coerce-wide": Question("What becomes of a 64-bit integer in this attribute?", switch="wide_integers", writes=True),
}
"""By id, which the site checklist has, too."""
