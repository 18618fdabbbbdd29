"""TLS of the gRPC endpoint: the certificate that the keeper holds, asked for at each handshake."""

from __future__ import annotations

import grpc

from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.certificates.presented import ServerCertificate


def server_credentials(keeper: CertificateKeeper) -> grpc.ServerCredentials:
    """Credentials that follow the keeper: a new certificate holds from the next handshake on."""
    presented = keeper.current

    def changed() -> grpc.ServerCertificateConfiguration | None:
        # gRPC calls this in threads of its own, before each handshake.
        nonlocal presented
        current = keeper.current
        if current is presented:
            return None
        presented = current
        return _configuration(current)

    return grpc.dynamic_ssl_server_credentials(_configuration(presented), changed)  # type: ignore[arg-type]


def _configuration(certificate: ServerCertificate) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(certificate.private_key, certificate.certificate_chain)])
