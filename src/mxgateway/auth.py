"""API keys: how they travel."""

from __future__ import annotations


def authorization_metadata(api_key: str | None) -> tuple[tuple[str, str], ...]:
    """The call metadata of a key: `authorization: Bearer <key>`, or nothing without a key."""
    return (("authorization", f"Bearer {api_key}"),) if api_key else ()


def check_api_key(api_key: str | None) -> None:
    """Refuses a key that cannot travel in a header.

    Raises:
        ValueError: the key is empty, has white space around it or holds control or non-ASCII characters. The text
            does not contain the key.
    """
    if api_key is None:
        return
    if not api_key:
        raise ValueError("api_key is empty; leave it out (None) to call without a key")
    if api_key != api_key.strip():
        raise ValueError("api_key has white space at its start or end; strip the line end when reading it from a file")
    if not api_key.isascii() or not api_key.isprintable():
        raise ValueError("api_key holds characters that a gRPC header cannot carry")
