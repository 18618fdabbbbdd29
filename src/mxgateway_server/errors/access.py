"""Who may not, and the key store."""

from __future__ import annotations

from enum import StrEnum

from mxgateway_contract.generated import mxaccess_gateway_pb2 as pb
from mxgateway_server.errors.base import GatewayError


class KeyRefusal(StrEnum):
    """Why a key does not let its caller in: for audit and log only, never for the caller."""

    MISSING_OR_MALFORMED = "MissingOrMalformedCredentials"
    UNKNOWN = "KeyNotFound"
    SECRET_MISMATCH = "SecretMismatch"  # noqa: S105 — a word of the audit
    REVOKED = "KeyRevoked"
    NOT_YET_VALID = "KeyNotYetValid"
    EXPIRED = "KeyExpired"
    THROTTLED = "Throttled"


class AuthenticationError(GatewayError):
    """No valid API key. The text is the same whatever is wrong; the rest is for log and audit only.

    Attributes:
        kind: what is wrong.
        key_id: of the key that was shown; empty when it was none.
        waits: seconds of a wait that begins with this failure; 0 for none.
    """

    grpc_status = "UNAUTHENTICATED"
    reason = "UNAUTHENTICATED"

    def __init__(self, kind: KeyRefusal, key_id: str = "", *, waits: float = 0.0) -> None:
        self.kind = kind
        self.key_id = key_id
        self.waits = waits
        super().__init__("a valid API key is needed, in the metadata `authorization`: `Bearer`, a blank, the key")


class PermissionDeniedError(GatewayError):
    """The key is valid and may not do this."""

    grpc_status = "PERMISSION_DENIED"
    protocol_code = pb.PROTOCOL_STATUS_CODE_PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class OwnerMismatchError(PermissionDeniedError):
    """The session belongs to another key.

    Attributes:
        session_id: that session.
    """

    reason = "SESSION_OWNER_MISMATCH"

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        super().__init__("the session belongs to another API key")


class ClientCertificateError(PermissionDeniedError):
    """The key is bound to a client certificate, and the connection showed none or another."""

    reason = "CLIENT_CERTIFICATE"


class StoreError(GatewayError):
    """Something about the key store."""

    grpc_status = "UNAVAILABLE"
    reason = "STORE"


class SchemaVersionError(StoreError):
    """The database was written by a newer version of this program."""


class KeyExistsError(StoreError):
    """A key of that id is there already."""


class KeyNotFoundError(StoreError):
    """No key of that id."""


class KeyStateError(StoreError):
    """The key's state does not allow this, for example rotating a revoked key."""


class KeyStoreUnavailableError(StoreError):
    """Keys cannot be checked now, so nobody is let in."""

    reason = "KEY_STORE_UNAVAILABLE"
