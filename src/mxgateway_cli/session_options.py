"""Options of commands that work in a session which is open already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

session_id = click.option("--session-id", required=True, metavar="ID", help="Session, from open-session.")
server_handle = click.option("--server-handle", type=int, required=True, help="From register.")
item_handle = click.option("--item-handle", type=int, required=True, help="From add-item.")
item = click.option("--item", required=True, metavar="REFERENCE", help="For example TestMachine_001.TestChangingInt.")
items = click.option("--items", required=True, metavar="A,B,…", help="References, separated by commas.")
item_handles = click.option("--item-handles", required=True, metavar="1,2,…", help="Handles, separated by commas.")
user_id = click.option("--user-id", type=int, default=0, show_default=True, help="From authenticate-user; 0 is none.")
current_user_id = click.option("--current-user-id", type=int, required=True, help="Operator, from authenticate-user.")
verifier_user_id = click.option(
    "--verifier-user-id", type=int, default=None, help="Verifier; the operator again when it is not given."
)


def item_call(command: Callable[..., Any]) -> Callable[..., Any]:
    """--session-id, --server-handle and --item-handle."""
    return session_id(server_handle(item_handle(command)))
