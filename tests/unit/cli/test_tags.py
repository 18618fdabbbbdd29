"""Commands that take tags by name: read, watch, record, browse, lists; and the Galaxy commands."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.fake_gateway import FakeGateway, ok
from tests.unit.cli.conftest import Cli

from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway.generated import mxaccess_gateway_pb2 as pb


@pytest.fixture(autouse=True)
def plant(gateway: FakeGateway) -> None:
    """An area with two machines."""
    gateway.objects = [galaxy_pb.GalaxyObject(gobject_id=1, tag_name="DEV", browse_name="DEV", is_area=True)]
    for number in (1, 2):
        name = f"Machine_{number:03}"
        gateway.objects.append(
            galaxy_pb.GalaxyObject(
                gobject_id=number + 1,
                tag_name=name,
                browse_name=name,
                parent_gobject_id=1,
                attributes=[
                    galaxy_pb.GalaxyAttribute(
                        attribute_name="Speed", full_tag_reference=f"{name}.Speed", data_type_name="Float"
                    ),
                    galaxy_pb.GalaxyAttribute(
                        attribute_name="Parts", full_tag_reference=f"{name}.Parts[]", is_array=True
                    ),
                ],
            )
        )


def test_read_takes_tags_and_globs(gateway: FakeGateway, cli: Cli) -> None:
    """read expands globs over the Galaxy, reads all in one call and closes its session."""
    outcome = cli("read", "Other.Tag", "machine_*.speed", "--json")
    assert outcome.code == 0, outcome.err
    tags = [result["tagAddress"] for result in outcome.json["results"]]
    assert tags == ["Other.Tag", "Machine_001.Speed", "Machine_002.Speed"]
    assert gateway.calls["CloseSession"] == 1


def test_glob_without_a_dot_means_all_attributes(gateway: FakeGateway, cli: Cli) -> None:
    """A glob of objects reads all their attributes, arrays by their reference with []."""
    tags = [result["tagAddress"] for result in cli("read", "Machine_*1", "--json").json["results"]]
    assert tags == ["Machine_001.Speed", "Machine_001.Parts[]"]


def test_read_fails_when_a_tag_does(gateway: FakeGateway, cli: Cli) -> None:
    """The results are printed, and the exit code is 1 when one tag could not be read."""
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    reply.read_bulk.results.add(tag_address="A.B", was_successful=False, error_message="no such tag")
    gateway.answer("read_bulk", reply)
    outcome = cli("read", "A.B")
    assert (outcome.code, outcome.err) == (1, "")
    assert "no such tag" in outcome.out


def test_nothing_that_fits_is_a_usage_error(cli: Cli) -> None:
    """A glob without a match, and more matches than the limit, are usage errors."""
    assert cli("read", "Nothing*").code == 2
    assert cli("read", "Machine_*", "--limit", "1").code == 2


def test_browse_shows_a_tree(gateway: FakeGateway, cli: Cli) -> None:
    """browse prints the tree to the asked depth, and marks what is not expanded."""
    assert cli("browse", "--depth", "1").out == "DEV/ …\n"
    assert cli("browse").out == "DEV/\n  Machine_001\n  Machine_002\n"
    nodes = cli("browse", "DEV", "--attributes", "--json").json["nodes"]
    assert [node["tagName"] for node in nodes] == ["Machine_001", "Machine_002"]
    assert nodes[0]["attributes"][0]["fullTagReference"] == "Machine_001.Speed"


def test_browse_of_a_missing_object_fails_clearly(cli: Cli) -> None:
    """An object that is not deployed is one line on stderr."""
    outcome = cli("browse", "Nothing")
    assert outcome.code == 1
    assert "no object Nothing" in outcome.err


def test_tag_lists_go_round(gateway: FakeGateway, cli: Cli, tmp_path: Path) -> None:
    """What tags export writes, tags import takes, and @NAME reads."""
    target = tmp_path / "speeds.csv"
    assert cli("tags", "export", "Machine_*.Speed", "--output", str(target)).code == 2  # options of the group
    outcome = cli.bare(
        *("tags", "export", "Machine_*.Speed", "--output", str(target)), "--endpoint", cli.endpoint, "--plaintext"
    )
    assert outcome.code == 0, outcome.err
    lines = target.read_text().splitlines()
    assert lines[0] == "tag,object,attribute,type,isArray,securityClassification,isHistorized,isAlarm"
    assert lines[1].startswith("Machine_001.Speed,Machine_001,Speed,Float,False")
    imported = cli.bare(*("tags", "import", "speeds", str(target), "--json"), "--endpoint", cli.endpoint, "--plaintext")
    assert imported.json == {"list": "speeds", "tags": 2}
    assert len(cli("read", "@speeds", "--json").json["results"]) == 2
    assert cli("read", "@other").code == 2


def test_import_refuses_unknown_tags(cli: Cli, tmp_path: Path) -> None:
    """tags import fails on references that the Galaxy does not have, unless --unchecked."""
    source = tmp_path / "list.csv"
    source.write_text("Machine_001.Speed\nMachine_009.Speed\n")
    arguments = ("tags", "import", "mine", str(source), "--endpoint", cli.endpoint, "--plaintext")
    outcome = cli.bare(*arguments)
    assert outcome.code == 1
    assert "Machine_009.Speed" in outcome.err
    assert cli.bare(*arguments, "--unchecked").code == 0


def test_galaxy_test_connection(gateway: FakeGateway, cli: Cli) -> None:
    """galaxy-test-connection prints ok, and exits with 1 when the database is not reached."""
    assert cli("galaxy-test-connection", "--json").json == {"ok": True}
    gateway.script("TestConnection", galaxy_pb.TestConnectionReply(ok=False))
    outcome = cli("galaxy-test-connection", "--json")
    assert (outcome.code, outcome.json) == (1, {"ok": False})


def test_galaxy_last_deploy(gateway: FakeGateway, cli: Cli) -> None:
    """galaxy-last-deploy prints whether there is a deployment and when it was."""
    assert cli("galaxy-last-deploy", "--json").json == {"present": True, "timeOfLastDeploy": "2023-11-14T22:13:20Z"}
    gateway.script("GetLastDeployTime", galaxy_pb.GetLastDeployTimeReply())
    assert cli("galaxy-last-deploy", "--json").json == {"present": False, "timeOfLastDeploy": None}


def test_galaxy_discover_sends_its_filters(gateway: FakeGateway, cli: Cli) -> None:
    """galaxy-discover prints objects as protobuf JSON and sends every filter."""
    objects = cli("galaxy-discover", "--json").json["objects"]
    assert [each["tagName"] for each in objects] == ["DEV", "Machine_001", "Machine_002"]
    cli("galaxy-discover", "--root", "DEV", "--max-depth", "0", "--category", "13", "--template", "$T", "--glob", "M*")
    sent = gateway.requests[-1]
    assert (sent.root_tag_name, sent.max_depth.value, list(sent.category_ids)) == ("DEV", 0, [13])
    assert (list(sent.template_chain_contains), sent.tag_name_glob) == (["$T"], "M*")


def test_galaxy_browse_prints_children_and_hints(cli: Cli) -> None:
    """galaxy-browse prints children and childHasChildren side by side."""
    document = cli("galaxy-browse", "--json").json
    assert [each["tagName"] for each in document["children"]] == ["DEV"]
    assert document["childHasChildren"] == [True]


def test_galaxy_objects_for_people(gateway: FakeGateway, cli: Cli) -> None:
    """galaxy-discover shows a tree, galaxy-browse a level: name in the tree, tag name, template, attributes."""
    area = galaxy_pb.GalaxyObject(
        gobject_id=1, tag_name="DEV", browse_name="DEV", is_area=True, template_chain=["$Area"]
    )
    mixer = galaxy_pb.GalaxyObject(
        gobject_id=2,
        tag_name="Valve_7",
        contained_name="Inlet",
        browse_name="Inlet",
        parent_gobject_id=1,
        template_chain=["$Valve", "$UserDefined"],
        attributes=[galaxy_pb.GalaxyAttribute(attribute_name="PV")],
    )
    lost = galaxy_pb.GalaxyObject(gobject_id=3, tag_name="Lost", browse_name="Lost", parent_gobject_id=99)
    gateway.objects = [area, mixer, lost]
    discovered = cli("galaxy-discover").out.splitlines()
    assert discovered == ["DEV/  $Area  0 attributes", "  Inlet (Valve_7)  $Valve  1 attribute", "Lost  0 attributes"]
    assert cli("galaxy-discover", "--no-attributes").out.splitlines()[1] == "  Inlet (Valve_7)  $Valve"
    assert cli("galaxy-browse").out.splitlines() == ["DEV/  $Area  0 attributes …"]
    assert cli("galaxy-browse", "--parent", "DEV", "--no-attributes").out.splitlines() == ["Inlet (Valve_7)  $Valve"]


@pytest.mark.parametrize("limit", ["--timeout", "--duration"])
def test_galaxy_watch_ends_when_its_time_is_over(gateway: FakeGateway, cli: Cli, limit: str) -> None:
    """--timeout is a time too, as for the other streams; what came is printed, and the end is an ordinary one."""
    gateway.deploy_events = [galaxy_pb.DeployEvent(sequence=1, object_count=3)]
    outcome = cli("galaxy-watch", limit, "0.5", "--json")
    assert outcome.code == 0, outcome.err
    assert [event["sequence"] for event in outcome.json["events"]] == ["1"]


def test_galaxy_watch_keeps_nanoseconds(gateway: FakeGateway, cli: Cli) -> None:
    """galaxy-watch sends the last seen time to the nanosecond and prints unsigned sequences."""
    event = galaxy_pb.DeployEvent(sequence=2**63 + 1, object_count=3, time_of_last_deploy_present=True)
    event.time_of_last_deploy.FromNanoseconds(1_700_000_000_123_456_789)
    gateway.deploy_events = [event]
    outcome = cli(
        *("galaxy-watch", "--last-seen-deploy-time", "2026-01-31T12:00:00.123456789Z", "--max-events", "1", "--json")
    )
    assert gateway.requests[-1].last_seen_deploy_time.nanos == 123456789
    assert outcome.json["events"][0]["sequence"] == str(2**63 + 1)
    assert f"#{2**63 + 1}" in cli("galaxy-watch", "--max-events", "1").out


def test_alarm_commands(gateway: FakeGateway, cli: Cli) -> None:
    """The alarm commands print what the gateway's alarm monitor says."""
    assert len(cli("stream-alarms", "--max-messages", "2", "--json").json["messages"]) == 2
    assert "TestAlarm001" in cli("query-active-alarms").out
    acknowledged = cli("acknowledge-alarm", "--reference", "G!A.B", "--comment", "c", "--operator", "o", "--json")
    assert acknowledged.json["protocolStatus"]["code"] == "PROTOCOL_STATUS_CODE_OK"
    sent = gateway.requests[-1]
    assert (sent.alarm_full_reference, sent.comment, sent.operator_user) == ("G!A.B", "c", "o")
