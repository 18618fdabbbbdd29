"""Page tokens: opaque, valid for one deployment as served and one set of arguments."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

from mxgateway_server.galaxy.errors import PageTokenError

_BODY = struct.Struct(">QI")
_MAC_BYTES = 16


class PageTokens:
    """Makes and reads page tokens with a key of its own, so that tokens of another gateway run are foreign."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, sequence: int, arguments: bytes, offset: int) -> str:
        body = _BODY.pack(sequence, offset)
        return base64.urlsafe_b64encode(body + self._mac(body, arguments)).decode("ascii").rstrip("=")

    def read(self, token: str, sequence: int, arguments: bytes) -> int:
        """The offset that a token stands for.

        Raises:
            PageTokenError: it is no token of this gateway, of another deployment or of other arguments.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise PageTokenError("page_token is not one that this gateway made") from None
        if len(raw) != _BODY.size + _MAC_BYTES:
            raise PageTokenError("page_token is not one that this gateway made")
        body, mac = raw[: _BODY.size], raw[_BODY.size :]
        token_sequence, offset = _BODY.unpack(body)
        if token_sequence != sequence:
            raise PageTokenError("page_token belongs to an earlier deployment; start again without one")
        if not hmac.compare_digest(mac, self._mac(body, arguments)):
            raise PageTokenError("page_token was made for other arguments; repeat those or start again without one")
        return int(offset)

    def _mac(self, body: bytes, arguments: bytes) -> bytes:
        return hmac.new(self._key, body + arguments, hashlib.sha256).digest()[:_MAC_BYTES]
