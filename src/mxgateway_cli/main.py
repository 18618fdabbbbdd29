"""The command group `mxgw-py`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from mxgateway_cli.failures import EXIT_FAILED, EXIT_INTERRUPTED

# Where each command lives. A module loads only when its command runs (or for the list of commands).
COMMANDS = {
    "open-session": "sessions:open_session",
    "close-session": "sessions:close_session",
    "ping": "sessions:ping",
    "session-state": "sessions:session_state",
    "worker-info": "sessions:worker_info",
    "drain-events": "sessions:drain_events",
    "register": "items:register",
    "unregister": "items:unregister",
    "add-item": "items:add_item",
    "add-item2": "items:add_item2",
    "remove-item": "items:remove_item",
    "advise": "items:advise",
    "advise-supervisory": "items:advise_supervisory",
    "unadvise": "items:unadvise",
    "add-buffered-item": "items:add_buffered_item",
    "set-buffered-update-interval": "items:set_buffered_update_interval",
    "suspend": "items:suspend",
    "activate": "items:activate",
    "authenticate-user": "users:authenticate_user",
    "archestra-user-to-id": "users:archestra_user_to_id",
    "write": "writes:write",
    "write2": "writes:write2",
    "write-secured": "writes:write_secured",
    "write-secured2": "writes:write_secured2",
    "write-bulk": "bulk:write_bulk",
    "write2-bulk": "bulk:write2_bulk",
    "write-secured-bulk": "bulk:write_secured_bulk",
    "write-secured2-bulk": "bulk:write_secured2_bulk",
    "read-bulk": "bulk:read_bulk",
    "add-item-bulk": "bulk:add_item_bulk",
    "advise-item-bulk": "bulk:advise_item_bulk",
    "remove-item-bulk": "bulk:remove_item_bulk",
    "unadvise-item-bulk": "bulk:unadvise_item_bulk",
    "subscribe-bulk": "bulk:subscribe_bulk",
    "unsubscribe-bulk": "bulk:unsubscribe_bulk",
    "stream-events": "stream:stream_events",
    "read": "tags:read",
    "watch": "tags:watch",
    "record": "tags:record",
    "browse": "tags:browse",
    "tags": "tags:tags",
    "login": "login:login",
    "galaxy-test-connection": "galaxy:galaxy_test_connection",
    "galaxy-last-deploy": "galaxy:galaxy_last_deploy",
    "galaxy-discover": "galaxy:galaxy_discover",
    "galaxy-browse": "galaxy:galaxy_browse",
    "galaxy-watch": "galaxy:galaxy_watch",
    "stream-alarms": "alarms:stream_alarms",
    "query-active-alarms": "alarms:query_active_alarms",
    "acknowledge-alarm": "alarms:acknowledge_alarm",
    "batch": "batch:batch",
    "bench-read-bulk": "bench:bench_read_bulk",
    "bench-stream-events": "bench:bench_stream_events",
    "smoke": "smoke:smoke",
    "demo": "demo:demo",
    "tui": "tui:tui",
    "version": "version:version",
}


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

    def main(self, args: Sequence[str] | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Runs one invocation and exits with its code: 0, 1 for a failure, 2 for usage, 130 for an interrupt."""
        if not extra.pop("standalone_mode", True):
            super().main(args, standalone_mode=False, **extra)
        sys.exit(self.execute(args, **extra))

    def execute(self, args: Sequence[str] | None = None, **extra: Any) -> int:
        """Runs one invocation and returns its exit code; failures are shown on stderr."""
        try:
            result = super().main(args, standalone_mode=False, **extra)
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except (KeyboardInterrupt, click.Abort):
            click.echo("interrupted", err=True)
            return EXIT_INTERRUPTED
        except BrokenPipeError:
            # The reader of our output has gone, as `head` does; nobody is left to tell.
            sys.stderr.close()
            return EXIT_FAILED
        return result if isinstance(result, int) else 0


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
