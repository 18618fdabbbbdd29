"""What all examples share: where the gateway is and which key to use, from flags or the environment."""

from __future__ import annotations

import argparse
import os

from mxgateway import ClientOptions


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the flags of the connection; each has an environment variable as its default."""
    result = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--endpoint", default=os.environ.get("MXGATEWAY_ENDPOINT", "localhost:5001"))
    result.add_argument("--ca-file", default=os.environ.get("MXGATEWAY_CA_FILE"), help="certificate to trust (PEM)")
    result.add_argument("--api-key-env", default="MXGATEWAY_API_KEY", help="environment variable that holds the key")
    result.add_argument("--plaintext", action="store_true", help="no TLS; only for a gateway on this machine")
    return result


def client_options(arguments: argparse.Namespace) -> ClientOptions:
    """The client's options from the parsed flags."""
    return ClientOptions(
        endpoint=arguments.endpoint,
        api_key=os.environ.get(arguments.api_key_env),
        ca_file=arguments.ca_file,
        plaintext=arguments.plaintext,
    )
