"""`mxgw-py version`."""

from __future__ import annotations

import click

from mxgateway import GATEWAY_PROTOCOL_VERSION, WORKER_PROTOCOL_VERSION, __version__
from mxgateway_cli.output import emit


@click.command()
@click.option("--json", "output_json", is_flag=True, help="One JSON document on stdout.")
def version(output_json: bool) -> None:
    """Version of this client and of the contract that it speaks.

    \b
    Example:
      mxgw-py version --json
    """
    payload = {
        "name": "mxgw-py",
        "version": __version__,
        "gatewayProtocolVersion": GATEWAY_PROTOCOL_VERSION,
        "workerProtocolVersion": WORKER_PROTOCOL_VERSION,
    }
    emit(payload, output_json, f"mxgw-py {__version__}")
