"""TLS of the HTTP listener: the certificate that the keeper holds, looked at again with each handshake."""

from __future__ import annotations

import os
import ssl
import tempfile
from typing import Any

from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.certificates.presented import ServerCertificate


def server_context(keeper: CertificateKeeper) -> ssl.SSLContext:
    """A context that follows the keeper: a new certificate holds from the next handshake on. Blocks on the disk."""
    presented, current = keeper.current, _context(keeper.current)

    def on_handshake(connection: Any, _name: str | None, _context_then: ssl.SSLContext) -> None:
        nonlocal presented, current
        if keeper.current is not presented:
            newest = keeper.current
            if newest != presented:
                current = _context(newest)
            presented = newest
        connection.context = current

    context = _context(presented)
    context.sni_callback = on_handshake
    return context


def _context(certificate: ServerCertificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # The module takes certificates from files only; this one is its owner's, and gone again at once.
    descriptor, path = tempfile.mkstemp(prefix="mxgateway-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate.private_key + b"\n" + certificate.certificate_chain)
        context.load_cert_chain(path)
    finally:
        os.unlink(path)
    return context
