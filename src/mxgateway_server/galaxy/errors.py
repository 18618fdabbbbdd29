"""Errors of Galaxy browse, a branch of the gateway's tree. None carries SQL text or a connection string.

GalaxyError
    GalaxySourceError       the database cannot be read
        GalaxyTimeoutError  … within the command timeout
        GalaxyDataError     … because what it returns is no Galaxy
    GalaxyUnavailableError  nothing to serve yet
    GalaxyArgumentError     the request is wrong
        PageTokenError      … in its page token
    GalaxyNotFoundError     the root or parent does not exist
    SnapshotError           the snapshot file cannot be used
"""

from __future__ import annotations

from mxgateway_server.errors import GatewayError, InvalidRequestError


class GalaxyError(GatewayError):
    """Base of all errors of Galaxy browse."""


class GalaxySourceError(GalaxyError):
    """The Galaxy database cannot be read.

    Attributes:
        problem: may be shown to clients.
        detail: for the log only.
    """

    grpc_status = "UNAVAILABLE"
    reason = "GALAXY_SOURCE"

    def __init__(self, problem: str, detail: str = "") -> None:
        self.problem = problem
        self.detail = detail
        super().__init__(problem)


class GalaxyTimeoutError(GalaxySourceError):
    """The database did not answer within the command timeout."""


class GalaxyDataError(GalaxySourceError):
    """The database answered with rows that cannot be a Galaxy."""


class GalaxyUnavailableError(GalaxyError):
    """No hierarchy has been loaded, and none could be restored."""

    grpc_status = "UNAVAILABLE"
    reason = "GALAXY_UNAVAILABLE"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, retry_after=retry_after)


class GalaxyArgumentError(GalaxyError, InvalidRequestError):
    """A request with arguments outside their range."""


class PageTokenError(GalaxyArgumentError):
    """A page token that was not made for these arguments and this deployment."""

    reason = "PAGE_TOKEN"


class GalaxyNotFoundError(GalaxyError):
    """The object that a request starts from does not exist in the deployed Galaxy."""

    grpc_status = "NOT_FOUND"
    reason = "GALAXY_NOT_FOUND"


class SnapshotError(GalaxyError):
    """A snapshot file that is missing, truncated, changed, of another format or of another Galaxy."""

    reason = "GALAXY_SNAPSHOT"
