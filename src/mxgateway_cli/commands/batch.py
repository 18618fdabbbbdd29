"""`mxgw-py batch`: many invocations in one process."""

from __future__ import annotations

import codecs
import io
import json
import shlex
import signal
import sys
from collections.abc import Iterable
from contextlib import redirect_stderr

import click

from mxgateway_cli import interrupts
from mxgateway_cli.simulated import told_once

END_OF_RECORD = "__MXGW_BATCH_EOR__"


def _lines() -> Iterable[str]:
    """The lines of stdin, also behind a byte order mark: editors and shells of Windows write one."""
    stdin = sys.stdin
    if isinstance(stdin, io.TextIOWrapper) and isinstance(stdin.buffer, io.BufferedReader):
        begin = stdin.buffer.peek(3)[:3]
        marked = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
        encoding = next((each for mark, each in marked.items() if begin.startswith(mark)), stdin.encoding)
        stdin.reconfigure(encoding=encoding, errors="surrogateescape")
    for number, line in enumerate(stdin):
        yield line if number else line.removeprefix("\ufeff")


@click.command()
def batch() -> None:
    """Runs one invocation for each line of stdin, until its end.

    A line has the arguments of one command, quoted as in a POSIX shell. Its output is followed by a line
    __MXGW_BATCH_EOR__; a line that fails prints {"error": …, "type": "error"} in place of a result. A result of which a
    part failed (read of a tag that is not there) stays the only document of its line.

    \b
    Example:
      mxgw-py batch < invocations.txt
    """
    with told_once():
        _run_lines()


def _run_lines() -> None:
    from mxgateway_cli.main import main

    terminations = interrupts.terminations()
    for line in _lines():
        failure = io.StringIO()
        try:
            if not line.isascii() and any("\ud800" <= char <= "\udfff" for char in line):
                raise ValueError(f"it is not {sys.stdin.encoding}; save the lines as UTF-8")
            arguments = shlex.split(line)
        except ValueError as error:
            code, text = 2, f"the line cannot be split: {error}"
        else:
            if arguments[:1] == ["batch"]:
                code, text = 2, "batch within batch is not possible"
            elif not arguments:
                code, text = 0, ""
            else:
                with redirect_stderr(failure):
                    code = main.execute(arguments, prog_name="mxgw-py")
                text = failure.getvalue().strip()
        # Without a text the result itself, printed already, says what failed.
        if code != 0 and text:
            click.echo(json.dumps({"error": text, "type": "error"}))
        click.echo(END_OF_RECORD)
        sys.stdout.flush()
        if interrupts.terminations() > terminations:
            # The line's command has ended in order; the lines after it are not begun.
            raise interrupts.Terminated(signal.SIGTERM)
