"""Whether the program that is installed may take over from the one that runs: any doubt is a no. Without I/O."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from mxgateway_contract.constants import WORKER_PROTOCOL_VERSION
from mxgateway_server import __version__
from mxgateway_server.upgrade.encoding import FORMAT_VERSION, schema_hash
from mxgateway_server.upgrade.legacy import Legacy
from mxgateway_server.upgrade.state import GatewayState

_OTHERWISE = "drain and restart instead: mxgateway drain, then start it again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What two programs must have in common.

    Attributes:
        state_format, state_schema: how the state is written down, and what it and all else that is left consist of.
        worker_protocol: version of what is spoken with workers.
    """

    state_format: int
    state_schema: str
    worker_protocol: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the program that is installed says of itself.

    Attributes:
        version: its version.
        problems: what would stop its start here, each with the remedy.
    """

    version: str
    terms: Terms
    problems: tuple[str, ...] = ()


def own_terms() -> Terms:
    """Those of this program."""
    return Terms(
        state_format=FORMAT_VERSION,
        state_schema=schema_hash(GatewayState, Legacy),
        worker_protocol=WORKER_PROTOCOL_VERSION,
    )


def own_answer(problems: tuple[str, ...]) -> str:
    """What this program says when the one that runs asks, as one line."""
    return json.dumps(asdict(Answer(version=__version__, terms=own_terms(), problems=problems)))


def read_answer(text: str) -> Answer | None:
    """The answer in what a program has printed; None when there is none that can be understood."""
    try:
        found = json.loads(text.strip().splitlines()[-1])
        terms = found["terms"]
        return Answer(
            version=str(found["version"]),
            terms=Terms(
                state_format=int(terms["state_format"]),
                state_schema=str(terms["state_schema"]),
                worker_protocol=int(terms["worker_protocol"]),
            ),
            problems=tuple(str(each) for each in found["problems"]),
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def refusals(own: Terms, answer: Answer) -> tuple[str, ...]:
    """Why the other program cannot take over, each with the remedy; none when it can."""
    found = list(answer.problems)
    other = answer.terms
    if other.worker_protocol != own.worker_protocol:
        found.append(
            f"version {answer.version} speaks protocol {other.worker_protocol} with workers, and those that run speak "
            f"{own.worker_protocol}; {_OTHERWISE}"
        )
    if (other.state_format, other.state_schema) != (own.state_format, own.state_schema):
        found.append(f"version {answer.version} does not know the state of sessions as this one has it; {_OTHERWISE}")
    return tuple(found)
