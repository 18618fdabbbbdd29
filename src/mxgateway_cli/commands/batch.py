"""`mxgw-py batch`: many invocations in one process."""

from __future__ import annotations

import io
import json
import shlex
import sys
from contextlib import redirect_stderr

import click

END_OF_RECORD = "__MXGW_BATCH_EOR__"


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
    from mxgateway_cli.main import main

    for line in sys.stdin:
        failure = io.StringIO()
        try:
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
