"""A gateway that answers from a script: for tests of programs and of clients in any language.

`python -m mxgateway.testing.scripted case.json` serves one case until its stdin ends. It prints a line of JSON when it
is ready and answers each line of its stdin with one; `conformance/README.md` of the source has the format.
"""

from __future__ import annotations

from mxgateway.testing.scripted.gateway import ScriptedGateway
from mxgateway.testing.scripted.matching import differences
from mxgateway.testing.scripted.rules import Script, ScriptError

__all__ = ["Script", "ScriptError", "ScriptedGateway", "differences"]
