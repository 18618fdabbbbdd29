"""Commands that take tags by name: read, watch, record, browse, lists; and the Galaxy commands."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest
from tests.support.fake_gateway import Abort, FakeGateway, data_change, ok
from tests.unit.cli.conftest import Cli, Outcome

from mxgateway.generated import galaxy_repository_pb2 as galaxy_pb
from mxgateway.generated import mxaccess_gateway_pb2 as pb


@pytest.fixture(autouse=True)
def plant(gateway: FakeGateway) -> None:
    """An area with two machines."""
    gateway.finds_roots = True
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
    assert cli("browse", "DEV", "--json").json["object"]["tagName"] == "DEV"
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
    assert (
        lines[0]
        == "tag,object,attribute,type,isArray,securityClassification,isHistorized,isAlarm,units,description,origin"
    )
    assert lines[1].startswith("Machine_001.Speed,Machine_001,Speed,Float,False")
    imported = cli.bare(*("tags", "import", "speeds", str(target), "--json"), "--endpoint", cli.endpoint, "--plaintext")
    assert imported.json == {"list": "speeds", "tags": 2}
    assert len(cli("read", "@speeds", "--json").json["results"]) == 2
    assert cli("read", "@other").code == 2


def reads(gateway: FakeGateway, *known: str) -> None:
    """Lets exactly these references be read, whatever their case."""

    def answer(request: pb.MxCommandRequest) -> pb.MxCommandReply:
        reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
        for tag in request.command.read_bulk.tag_addresses:
            is_known = tag.lower() in [each.lower() for each in known]
            result = reply.read_bulk.results.add(tag_address=tag, was_successful=is_known)
            if not is_known:
                result.statuses.add(category=pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR, detail=6, detected_by=3)
        reply.read_bulk.SetInParent()
        return reply

    gateway.answer("read_bulk", answer)


def tags_command(cli: Cli, *arguments: str) -> Outcome:
    return cli.bare("tags", *arguments, "--endpoint", cli.endpoint, "--plaintext")


def test_import_refuses_unknown_tags(gateway: FakeGateway, cli: Cli, tmp_path: Path) -> None:
    """tags import fails on references that cannot be read, unless --unchecked."""
    reads(gateway, "Machine_001.Speed")
    source = tmp_path / "list.csv"
    source.write_text("Machine_001.Speed\nMachine_009.Speed\n")
    outcome = tags_command(cli, "import", "mine", str(source))
    assert outcome.code == 1
    assert "1 of 2 tags cannot be read: Machine_009.Speed (CONFIGURATION_ERROR detail 6" in outcome.err
    assert cli.bare("tags", "list").out.startswith("there is no list yet")
    assert tags_command(cli, "import", "mine", str(source), "--unchecked").code == 0


def test_import_judges_as_reading_does(gateway: FakeGateway, cli: Cli, tmp_path: Path) -> None:
    """What no list of attributes has, but what reads, is taken: contained names, elements, properties, `#` names."""
    tags = ["#Pump.PV", "Machine_001.Inlet.PV", "Machine_001.Parts[3]", "Machine_001.Speed.Quality", "$Line.PV"]
    reads(gateway, *tags)
    source = tmp_path / "list.csv"
    source.write_text("tag\n# what follows are tags\n" + "\n".join(tags) + "\n")
    outcome = tags_command(cli, "import", "mine", str(source))
    assert outcome.code == 0, outcome.err
    assert "@mine: 5 tags (left out: 1 comments)" in outcome.out
    assert cli.bare("tags", "show", "mine").out.splitlines() == tags
    assert [result["tagAddress"] for result in cli("read", "@mine", "--json").json["results"]] == tags


def test_a_tag_that_does_not_answer_now_is_taken(gateway: FakeGateway, cli: Cli, tmp_path: Path) -> None:
    """An engine that is down does not make a list wrong; a key's limits do."""
    reply = pb.MxCommandReply(protocol_status=ok(), hresult=0)
    reply.read_bulk.results.add(tag_address="A.B", error_message="no value within 1000 ms")
    down = reply.read_bulk.results.add(tag_address="C.D")
    down.statuses.add(category=pb.MX_STATUS_CATEGORY_COMMUNICATION_ERROR, detail=5, detected_by=4)
    gateway.answer("read_bulk", reply)
    source = tmp_path / "list.csv"
    source.write_text("A.B\nC.D\n")
    assert tags_command(cli, "import", "mine", str(source)).code == 0
    reply.read_bulk.results[0].error_message = "the key may not read it"
    assert "the key may not read it" in tags_command(cli, "import", "mine", str(source)).err


def test_a_galaxy_dump_stands_for_the_attributes_of_its_objects(cli: Cli, tmp_path: Path) -> None:
    source = tmp_path / "dump.csv"
    source.write_text(":TEMPLATE=$Machine\n:Tagname,Area\nMachine_002,DEV\nMachine_001,DEV\n", encoding="utf-16")
    outcome = tags_command(cli, "import", "machines", str(source))
    assert outcome.code == 0, outcome.err
    assert "a Galaxy dump of 2 objects" in outcome.err
    shown = cli.bare("tags", "show", "machines", "--json").json
    assert shown["tags"] == ["Machine_002.Speed", "Machine_002.Parts[]", "Machine_001.Speed", "Machine_001.Parts[]"]


def test_a_file_that_is_no_list_is_named(cli: Cli, tmp_path: Path) -> None:
    """In one line, as a mistake of usage, and without a traceback."""
    source = tmp_path / "book.csv"
    source.write_bytes(b"PK\x03\x04 rest")
    outcome = tags_command(cli, "import", "mine", str(source))
    assert outcome.code == 2
    assert "is no list of tags: it is an Excel workbook" in outcome.err


def test_lists_are_listed_saved_and_deleted(cli: Cli) -> None:
    """Watch lists live for years: what is there can be seen, and goes when it is told to."""
    assert tags_command(cli, "save", "speeds", "machine_*.speed").out == "@speeds: 2 tags\n"
    assert tags_command(cli, "save", "one", "A.B", "--json").json == {"list": "one", "tags": 1}
    assert cli.bare("tags", "list").out.splitlines() == ["@one\t1 tags", "@speeds\t2 tags"]
    assert cli.bare("tags", "list", "--json").json["lists"] == [
        {"list": "one", "tags": 1},
        {"list": "speeds", "tags": 2},
    ]
    assert cli.bare("tags", "delete", "@one").code == 0
    outcome = cli.bare("tags", "show", "one")
    assert outcome.code == 2
    assert "(there are: @speeds)" in outcome.err
    assert cli.bare("tags", "delete", "../x").code == 2


@pytest.mark.parametrize(
    ("tag", "hint"),
    [
        ("Machine_001.Sped", "did you mean Machine_001.Speed?"),
        ("machine_001.SPEEDS", "did you mean machine_001.Speed?"),
        ("Machin_001.Speed", "did you mean Machine_001.Speed or Machine_002.Speed?"),
        ("Machine_001", "Machine_001 alone means Machine_001.PV; its tags: mxgw-py browse Machine_001"),
        ("Machine_001.Temperature", "Machine_001 has no Temperature; its tags: mxgw-py browse Machine_001"),
        ("Galaxy:Machine_001.Speed", "is InTouch's; leave it out"),
    ],
)
@pytest.mark.parametrize(
    "command",
    ["read", "write", "watch", "read-bulk", "add-item", "add-buffered-item", "add-item-bulk", "subscribe-bulk"],
)
def test_a_reference_that_leads_nowhere_is_met_with_near_ones(
    gateway: FakeGateway, cli: Cli, command: str, tag: str, hint: str
) -> None:
    """As for commands and settings; the exit code says that there is no such tag, where that is the whole result."""
    reads(gateway)
    event = data_change(1, quality=4)
    event.statuses[0].CopyFrom(
        pb.MxStatusProxy(success=0, category=pb.MX_STATUS_CATEGORY_CONFIGURATION_ERROR, detail=6, detected_by=3)
    )
    gateway.events = [event]
    arguments = {"read": [tag], "write": [tag, "5"], "watch": [tag, "--duration", "1"]}
    of_session = ["--session-id", "s", "--server-handle", "1", "--items" if "bulk" in command else "--item", tag]
    outcome = cli(command, *arguments.get(command, of_session))
    assert outcome.code == (1 if command in arguments else 0)
    assert hint in outcome.err


def test_a_relative_reference_is_judged_with_its_context(gateway: FakeGateway, cli: Cli) -> None:
    """Where only MXAccess knows what is meant, nothing is told."""
    reads(gateway)
    of_session = ("--session-id", "s", "--server-handle", "1", "--context", "Machine_001", "--item")
    assert "did you mean Machine_001.Speed?" in cli("add-item2", *of_session, "Me.Sped").err
    assert cli("add-item2", *of_session, "Sped").err == ""


def test_a_list_that_is_saved_says_which_tags_lead_nowhere(gateway: FakeGateway, cli: Cli) -> None:
    """They are kept all the same, and what a glob found is there without a question."""
    reads(gateway)
    outcome = tags_command(cli, "save", "one", "Machine_001.Sped", "Nowhere.Ever", "Machine_00*.Speed")
    assert (outcome.code, outcome.out) == (0, "@one: 4 tags\n")
    assert "Machine_001.Sped: did you mean Machine_001.Speed?" in outcome.err
    assert tags_command(cli, "save", "two", "Nowhere.Ever").err == "no such tag: Nowhere.Ever\n"
    (asked, _) = gateway.commands_of("read_bulk")
    assert list(asked.tag_addresses) == ["Machine_001.Sped", "Nowhere.Ever"]


@pytest.mark.parametrize("command", ["add-item", "subscribe-bulk"])
def test_a_key_that_may_not_read_adds_items_without_hints(gateway: FakeGateway, cli: Cli, command: str) -> None:
    """And with --json nothing is read that was not asked for."""
    reads(gateway)
    of_session = ("--session-id", "s", "--server-handle", "1", "--items" if "bulk" in command else "--item", "A.B")
    assert cli(command, *of_session, "--json").err == ""
    assert gateway.commands_of("read_bulk") == []
    gateway.answer("read_bulk", Abort(grpc.StatusCode.PERMISSION_DENIED, "invoke:read is missing"))
    outcome = cli(command, *of_session)
    assert (outcome.code, outcome.err) == (0, "")


def test_without_the_galaxy_there_is_no_hint(gateway: FakeGateway, cli: Cli) -> None:
    """A key may read tags and not the Galaxy."""
    reads(gateway)
    gateway.script("DiscoverHierarchy", Abort(grpc.StatusCode.PERMISSION_DENIED, "metadata:read is missing"))
    outcome = cli("read", "Machine_001.Sped")
    assert (outcome.code, outcome.err) == (1, "")


@pytest.mark.parametrize("name", ["'Machine_*.Speed'", '"Machine_*.Speed"', "'A.B'", "‘A.B’"])
@pytest.mark.parametrize("command", [("read",), ("watch",), ("tags", "export"), ("write",)])
def test_a_name_in_quotes_says_which_ones_the_shell_takes(cli: Cli, name: str, command: tuple[str, ...]) -> None:
    """cmd.exe passes single quotes on."""
    where = ("--endpoint", cli.endpoint, "--plaintext")
    outcome = cli.bare(*command, name, *(["5"] if command == ("write",) else []), *where)
    assert outcome.code == 2
    assert "double quotes" in outcome.err or "write takes one tag" in outcome.err


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
