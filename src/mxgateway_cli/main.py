"""The command group `mxgw-py`."""

from __future__ import annotations

import difflib
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from mxgateway_cli import interrupts
from mxgateway_cli.failures import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_SIGNALLED
from mxgateway_cli.output import escape_what_does_not_encode

# Where each command lives, in the order of the help. A module loads only when its command runs (or for the help).
SECTIONS = {
    "Tags by name": {
        "read": "tags:read",
        "write": "writes:write",
        "watch": "watch:watch",
        "record": "watch:record",
        "browse": "tags:browse",
        "tags": "tags:tags",
        "tui": "tui:tui",
    },
    "Getting started": {
        "demo": "demo:demo",
        "login": "login:login",
        "logout": "saved_profiles:logout",
        "profiles": "saved_profiles:list_profiles",
        "smoke": "smoke:smoke",
        "site-probe": "site_probe:site_probe",
        "version": "version:version",
    },
    "Sessions and events": {
        "open-session": "sessions:open_session",
        "close-session": "sessions:close_session",
        "sessions": "sessions:sessions",
        "session-state": "sessions:session_state",
        "ping": "sessions:ping",
        "worker-info": "sessions:worker_info",
        "stream-events": "stream:stream_events",
        "drain-events": "sessions:drain_events",
    },
    "Items": {
        "register": "items:register",
        "unregister": "items:unregister",
        "add-item": "items:add_item",
        "add-item2": "items:add_item2",
        "add-buffered-item": "items:add_buffered_item",
        "remove-item": "items:remove_item",
        "advise": "items:advise",
        "advise-supervisory": "items:advise_supervisory",
        "unadvise": "items:unadvise",
        "suspend": "items:suspend",
        "activate": "items:activate",
        "set-buffered-update-interval": "items:set_buffered_update_interval",
    },
    "Writes by handle, and users": {
        "write2": "writes:write2",
        "write-secured": "writes:write_secured",
        "write-secured2": "writes:write_secured2",
        "authenticate-user": "users:authenticate_user",
        "archestra-user-to-id": "users:archestra_user_to_id",
    },
    "Many items in one call": {
        "read-bulk": "bulk:read_bulk",
        "subscribe-bulk": "bulk:subscribe_bulk",
        "unsubscribe-bulk": "bulk:unsubscribe_bulk",
        "add-item-bulk": "bulk:add_item_bulk",
        "advise-item-bulk": "bulk:advise_item_bulk",
        "unadvise-item-bulk": "bulk:unadvise_item_bulk",
        "remove-item-bulk": "bulk:remove_item_bulk",
        "write-bulk": "bulk:write_bulk",
        "write2-bulk": "bulk:write2_bulk",
        "write-secured-bulk": "bulk:write_secured_bulk",
        "write-secured2-bulk": "bulk:write_secured2_bulk",
    },
    "Galaxy": {
        "galaxy-test-connection": "galaxy:galaxy_test_connection",
        "galaxy-last-deploy": "galaxy:galaxy_last_deploy",
        "galaxy-discover": "galaxy:galaxy_discover",
        "galaxy-browse": "galaxy:galaxy_browse",
        "galaxy-watch": "galaxy:galaxy_watch",
    },
    "Alarms": {
        "alarms": "alarm_views:alarms",
        "query-active-alarms": "alarms:query_active_alarms",
        "stream-alarms": "alarm_stream:stream_alarms",
        "acknowledge-alarm": "alarms:acknowledge_alarm",
        "alarm-shelve": "alarm_records:alarm_shelve",
        "alarm-history": "alarm_records:alarm_history",
        "alarm-stats": "alarm_records:alarm_stats",
        "alarm-status": "alarm_records:alarm_status",
    },
    "Scripts and measurements": {
        "batch": "batch:batch",
        "bench-read-bulk": "bench:bench_read_bulk",
        "bench-stream-events": "bench:bench_stream_events",
    },
}
COMMANDS = {name: place for section in SECTIONS.values() for name, place in section.items()}

_SHORT_HELP = 200


class LazyGroup(click.Group):
    """Loads each command's module when it is asked for, and turns every failure into text and exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].partition(":")
        command = getattr(import_module(f"mxgateway_cli.commands.{module}"), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{COMMANDS[cmd_name]} is no command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=3, cutoff=0.6)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {', '.join(near)}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            found = ((name, self.get_command(ctx, name)) for name in commands)
            rows = [(name, command.get_short_help_str(_SHORT_HELP)) for name, command in found if command]
            with formatter.section(title):
                formatter.write_dl(rows)

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Runs one invocation and exits with its code: 0, 1 for a failure, 2 for usage, 130 for an interrupt
        and 143 for SIGTERM where that is no ordinary end."""
        if not extra.pop("standalone_mode", True):
            super().main(args, standalone_mode=False, **extra)
        sys.exit(self.execute(args, **extra))

    def execute(self, args: Sequence[str] | None = None, **extra: Any) -> int:
        """Runs one invocation and returns its exit code; failures are shown on stderr."""
        # gRPC's own lines about failed handshakes would only repeat, in its words, what the error says.
        os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
        escape_what_does_not_encode()
        try:
            with interrupts.handled(interrupts.raising, with_sigint=False):
                result = super().main(args, standalone_mode=False, **extra)
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except (KeyboardInterrupt, click.Abort) as error:
            return _interrupted(error)
        except BrokenPipeError:
            # The reader of our output has gone, as `head` does; what is still buffered must not fail at exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_FAILED
        except OSError as error:
            click.echo(f"Error: {error}", err=True)
            return EXIT_FAILED
        return result if isinstance(result, int) else 0


def _interrupted(error: BaseException) -> int:
    # click makes an Abort of every interrupt; older versions hide what it was made of.
    cause = error if isinstance(error, interrupts.Terminated) else error.__cause__ or error.__context__
    if isinstance(cause, interrupts.Terminated):
        click.echo(f"ended by {signal.Signals(cause.number).name}", err=True)
        return EXIT_SIGNALLED + cause.number
    click.echo("interrupted", err=True)
    return EXIT_INTERRUPTED


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog='Shell completion for bash: eval "$(_MXGW_PY_COMPLETE=bash_source mxgw-py)"; zsh and fish likewise.',
)
def main() -> None:
    """AVEVA System Platform tags from a terminal, through an MXAccess gateway.

    TLS is the default; an unencrypted channel has to be asked for with --plaintext. A key comes from --api-key-env
    VARIABLE or from a profile (mxgw-py login), and never appears in any output.

    \b
    Examples:
      mxgw-py demo
      mxgw-py read TestMachine_001.TestChangingInt --endpoint gateway:5001 --api-key-env MXGATEWAY_API_KEY
      mxgw-py open-session --endpoint localhost:5000 --plaintext --json
    """
