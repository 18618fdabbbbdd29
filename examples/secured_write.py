"""A secured or verified write: one or two people sign it with their passwords.

The passwords are asked for at the terminal, or come from the environment variables MXGATEWAY_OPERATOR_PASSWORD and
MXGATEWAY_VERIFIER_PASSWORD; never from the command line, where everybody could read them.

python examples/secured_write.py --operator operator1 --verifier supervisor1 Filler_01.Recipe 7
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import sys

from gateway_options import client_options, parser

from mxgateway import GatewayClient, MxAccessError, is_status_failure
from mxgateway.generated import mxaccess_gateway_pb2 as pb

MEANING = {
    1012: "the attribute wants a secured write",
    1013: "the attribute wants a verified write: give a verifier",
    1016: "the operator may not do this",
    1017: "the verifier may not do this",
}


def password(person: str, variable: str) -> str:
    return os.environ.get(variable) or getpass.getpass(f"Password of {person}: ")


async def write(arguments: argparse.Namespace) -> str | None:
    """The reason of the refusal, or None when it is written."""
    operator_password = password(arguments.operator, "MXGATEWAY_OPERATOR_PASSWORD")
    async with (
        await GatewayClient.connect(client_options(arguments)) as client,
        await client.open_session(client_session_name="secured write") as session,
    ):
        server = await session.register("secured write")
        try:
            operator = await session.authenticate_user(server, arguments.operator, operator_password)
            verifier = operator
            if arguments.verifier:
                verifier = await session.authenticate_user(
                    server, arguments.verifier, password(arguments.verifier, "MXGATEWAY_VERIFIER_PASSWORD")
                )
        except MxAccessError:
            return "name or password is wrong"
        item = await session.add_item(server, arguments.tag)
        async with asyncio.timeout(arguments.timeout), session.stream_events() as events:
            await session.advise(server, item)
            async for event in events:
                if event.family == pb.MX_EVENT_FAMILY_ON_DATA_CHANGE:
                    break
            await session.write_secured(server, item, operator, verifier, json.loads(arguments.value))
            async for event in events:
                if event.family == pb.MX_EVENT_FAMILY_ON_WRITE_COMPLETE:
                    refused = next((status for status in event.statuses if is_status_failure(status)), None)
                    return None if refused is None else MEANING.get(refused.detail, f"detail {refused.detail}")
    return "the stream ended before the outcome came: it is unknown"


def main() -> int:
    flags = parser(__doc__)
    flags.add_argument("tag", metavar="TAG")
    flags.add_argument("value", help="as JSON: 7, 2.5, true, '\"text\"'")
    flags.add_argument("--operator", required=True, help="who writes")
    flags.add_argument("--verifier", help="who verifies; without it, a single signature")
    flags.add_argument("--timeout", type=float, default=30.0, help="seconds for the write")
    arguments = flags.parse_args()
    refusal = asyncio.run(write(arguments))
    print(f"{arguments.tag} = {arguments.value}: {refusal or 'written'}")
    return 0 if refusal is None else 1


if __name__ == "__main__":
    sys.exit(main())
