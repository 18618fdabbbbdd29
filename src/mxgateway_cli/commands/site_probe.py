"""`mxgw-py site-probe`: what only a real node can tell, asked and written down."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import click

from mxgateway import GatewayClient, Session, __version__
from mxgateway_cli.connection import Connection, connected
from mxgateway_cli.output import emit
from mxgateway_cli.simulated import tell_simulated


@click.command("site-probe")
@click.argument("tags", nargs=-1, required=True, metavar="TAG...")
@click.option(
    "--write", "scratch", multiple=True, metavar="TAG", help="Also write to this scratch tag; its value is put back."
)
@click.option("--coerce", is_flag=True, help="Write values of other types to the scratch tags as well.")
@click.option(
    "--watch", type=click.FloatRange(0.1, 600), default=5.0, show_default=True, help="Seconds of counting events."
)
@click.option(
    "--many", type=click.IntRange(0, 50_000), default=0, help="Also add and advise so many items of the first tag."
)
@click.option(
    "--patience",
    type=click.FloatRange(0.1, 300),
    default=20.0,
    show_default=True,
    help="Seconds to wait for a first value.",
)
@click.option("--with-names", is_flag=True, help="Keep tag names in the report; else they are numbered.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Also write the report there, as JSON.")
@connected()
def site_probe(
    connection: Connection,
    tags: tuple[str, ...],
    scratch: tuple[str, ...],
    coerce: bool,
    watch: float,
    many: int,
    patience: float,
    with_names: bool,
    output: Path | None,
) -> None:
    """Asks a node what the published facts about MXAccess leave open, and writes a report that can be sent home.

    Reads only, unless --write names scratch tags. Name some tags that change by themselves, and one whole array
    (OBJECT.ATTRIBUTE[]). The report holds no key, no address and no value of a tag; names are numbered unless
    --with-names says otherwise. docs/site-checklist.md has the questions.

    \b
    Example:
      mxgw-py site-probe TestMachine_001.TestChangingInt "TestChildObject.TestIntArray[]" --output site-report.json
    """
    if coerce and not scratch:
        raise click.UsageError("--coerce writes: name the scratch tag with --write")
    probe = _Probe(tags, scratch, coerce=coerce, watch=watch, many=many, patience=patience, with_names=with_names)
    report = connection.unbounded().run(probe.run)
    tell_simulated(report["isSimulated"])
    if output is not None:
        output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    from mxgateway_cli.survey.report import lines

    emit(report, connection.output_json, lines(report))


class _Probe:
    def __init__(
        self,
        tags: tuple[str, ...],
        scratch: tuple[str, ...],
        *,
        coerce: bool,
        watch: float,
        many: int,
        patience: float,
        with_names: bool,
    ) -> None:
        self._tags = tuple(dict.fromkeys(tags))
        self._scratch = tuple(dict.fromkeys(scratch))
        self._coerce = coerce
        self._watch = watch
        self._many = many
        self._patience = patience
        self._with_names = with_names

    async def run(self, client: GatewayClient) -> dict[str, Any]:
        """The whole report."""
        from mxgateway_cli.survey.listener import Listener

        async with await client.open_session(client_session_name="site-probe") as session:
            listener = Listener()
            async with session.stream_events() as stream, asyncio.TaskGroup() as group:
                await stream.opened()
                task = group.create_task(listener.listen(stream))
                report = await self._asked(session, listener)
                task.cancel()
        return report

    async def _asked(self, session: Session, listener: Any) -> dict[str, Any]:
        from mxgateway_cli.survey.node import Survey
        from mxgateway_cli.survey.questions import QUESTIONS
        from mxgateway_cli.survey.report import aliases, answer
        from mxgateway_cli.survey.scratch import Scratch

        survey = Survey(session, listener, self._tags, self._patience)
        await survey.run(watch=self._watch, many=self._many)
        names = aliases([*self._tags, *self._scratch], with_names=self._with_names)
        answers = [answer(name, found) for name, found in survey.answers.items()]
        for tag in self._scratch:
            written = await Scratch(session, listener, tag, self._patience).run(coerce=self._coerce)
            answers += [answer(name, found, names[tag]) for name, found in written.items()]
        asked = {one["id"] for one in answers}
        not_asked = dict(survey.not_asked)
        for name, question in QUESTIONS.items():
            if name not in asked and name not in not_asked:
                not_asked[name] = (
                    "writes: name a scratch tag with --write"
                    + (" and say --coerce" if name.startswith("coerce") else "")
                    if question.writes
                    else "no answer"
                )
        return {
            "report": "site-probe",
            "clientVersion": __version__,
            "isSimulated": session.is_simulated,
            "tags": {names[tag]: found for tag, found in survey.kinds.items()},
            "answers": answers,
            "differences": sorted({one["id"] for one in answers if one["isAsAssumed"] is False}),
            "notAsked": not_asked,
        }
