"""What `mxgateway doctor` looks at on any system: Galaxy database, clocks, ports, how people sign in, and traces.

Pure: it asks Surroundings.
"""

from __future__ import annotations

from collections.abc import Iterator

from mxgateway_server.node.facts import CollectorFacts, DoorFacts, GalaxyFacts, Surroundings, Wanted
from mxgateway_server.node.findings import Finding, Level

MOST_APART = 2.0
"""Seconds that two clocks may differ: above it, times of values and times of the gateway tell different stories."""


def examine_surroundings(around: Surroundings, wanted: Wanted) -> Iterator[Finding]:
    """Galaxy, clocks, ports, sign-ins and traces, each as it is done: a database may take seconds."""
    galaxy = around.galaxy()
    yield _galaxy(galaxy)
    yield _clocks(galaxy)
    yield _ports(around, wanted)
    yield from (_door(door) for door in around.doors())
    collector = around.collector()
    if collector is not None:
        yield _collector(collector)


def _galaxy(galaxy: GalaxyFacts) -> Finding:
    if galaxy.problem:
        return Finding(
            Level.ERROR,
            "Galaxy database",
            f"{galaxy.place}: {galaxy.problem}" if galaxy.place else galaxy.problem,
            "correct galaxy.connection_string, or give its login the right to read the Galaxy (db_datareader)",
        )
    return Finding(Level.OK, "Galaxy database", f"{galaxy.place} answers")


def _clocks(galaxy: GalaxyFacts) -> Finding:
    check = "clocks"
    if galaxy.problem:
        return Finding(Level.SKIPPED, check, "needs the Galaxy database, see above")
    if galaxy.ahead is None:
        return Finding(Level.SKIPPED, check, "the Galaxy is a file, which has no clock of its own")
    seconds = abs(galaxy.ahead)
    if seconds > MOST_APART:
        side = "ahead of" if galaxy.ahead > 0 else "behind"
        return Finding(
            Level.WARNING,
            check,
            f"the Galaxy's node is {seconds:.1f} s {side} this one",
            "let both take their time from one source (Windows: w32tm /resync; Linux: chrony or systemd-timesyncd)",
        )
    return Finding(Level.OK, check, f"the Galaxy's node and this one are within {MOST_APART:g} s")


def _ports(around: Surroundings, wanted: Wanted) -> Finding:
    check = "ports"
    if around.is_running():
        return Finding(Level.SKIPPED, check, "a gateway runs on this state directory and has them")
    told = ", ".join(one.address for one in wanted.addresses)
    refused = [(one, around.why_not_listen(one.address)) for one in wanted.addresses]
    problems = [f"{one.setting} = {one.address}: {why}" for one, why in refused if why]
    if problems:
        names = " or ".join(one.setting for one, why in refused if why)
        return Finding(Level.ERROR, check, "; ".join(problems), f"end the program that has the port, or change {names}")
    return Finding(Level.OK, check, f"{told} free" if told else "nothing to listen on is set")


def _door(door: DoorFacts) -> Finding:
    # A warning: whoever has a key gets in all the same.
    return Finding(Level.WARNING if door.remedy else Level.OK, door.door, door.found, door.remedy)


def _collector(collector: CollectorFacts) -> Finding:
    if not collector.problem:
        return Finding(Level.OK, "traces", f"something listens at {collector.endpoint}")
    # A warning: without a collector the gateway serves all the same.
    return Finding(Level.WARNING, "traces", f"{collector.endpoint}: {collector.problem}", collector.remedy)
