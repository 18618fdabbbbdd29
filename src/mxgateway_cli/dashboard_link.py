"""A link that signs a browser in at the dashboard, once."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen


def dashboard_link(url: str, api_key: str, timeout: float = 10.0) -> str:
    """Asks the gateway for a link; it blocks. The key goes to this address only, in a header.

    Args:
        url: of the dashboard on this machine, such as `http://localhost:5003`.
        api_key: a key with a role in the dashboard.
        timeout: seconds.

    Raises:
        OSError: the gateway does not answer, or refuses the key.
        ValueError, KeyError: something else than a gateway answered.
    """
    if not url.startswith(("http://localhost:", "http://127.0.0.1:")):
        raise ValueError("a key is sent without TLS on this machine only")
    request = Request(  # noqa: S310 - the scheme is checked above
        f"{url}/api/v1/links",
        b"{}",
        {"authorization": f"Bearer {api_key}", "content-type": "application/json"},
    )
    with urlopen(request, timeout=timeout) as answer:  # noqa: S310
        return str(json.loads(answer.read())["url"])
