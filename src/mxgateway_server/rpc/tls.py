"""TLS of the gRPC endpoint: the certificate that the keeper holds, asked for at each handshake."""

from __future__ import annotations

import grpc

from mxgateway_server.certificates.client_authorities import ClientAuthorities
from mxgateway_server.certificates.keeper import CertificateKeeper
from mxgateway_server.certificates.presented import ServerCertificate


def server_credentials(keeper: CertificateKeeper, *, wants_certificate: bool = False) -> grpc.ServerCredentials:
    """Credentials that follow the keeper: a new certificate holds from the next handshake on.

    Args:
        keeper: what is presented, and who vouches for clients.
        wants_certificate: whether only clients with a certificate get in. To take one and go on without is not in
            gRPC's power.
    """

    def now() -> tuple[ServerCertificate, ClientAuthorities | None]:
        return keeper.current, keeper.client_authorities if wants_certificate else None

    presented = now()

    def changed() -> grpc.ServerCertificateConfiguration | None:
        # gRPC calls this in threads of its own, before each handshake.
        nonlocal presented
        current = now()
        if current == presented:
            return None
        presented = current
        return _configuration(*current)

    return grpc.dynamic_ssl_server_credentials(_configuration(*presented), changed, wants_certificate)  # type: ignore[arg-type]


def _configuration(
    certificate: ServerCertificate, clients: ClientAuthorities | None
) -> grpc.ServerCertificateConfiguration:
    pairs = [(certificate.private_key, certificate.certificate_chain)]
    return grpc.ssl_server_certificate_configuration(pairs, None if clients is None else clients.pem)
