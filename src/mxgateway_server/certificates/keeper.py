"""Keeps the endpoint's certificate fresh while the gateway runs, and tells when its end is near."""

from __future__ import annotations

import asyncio
import datetime

from mxgateway_protocol.clock import Clock
from mxgateway_server.certificates.client_authorities import ClientAuthoritiesFile
from mxgateway_server.certificates.presented import CertificateSource, ServerCertificate
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.logs import get_logger
from mxgateway_server.parts import work_until

logger = get_logger(__name__)

LOOK_SECONDS = 10.0
TELL_SECONDS = 86_400.0


class CertificateKeeper:
    """The certificate that is presented now; looked at every few seconds, and at once when asked.

    What cannot be used never replaces what is presented: the gateway goes on with what it has and says why.

    Args:
        source: where the certificate comes from.
        clock: time.
        warn_days: days before the end from which on the log tells of it, once a day.
        clients: where the authorities of clients are; None when no client is asked for a certificate.

    Attributes:
        current: what is presented.
        problem: why the files that lie there now are not presented; empty when they are.
        client_authorities: who vouches for clients; None when nobody is asked.
    """

    def __init__(
        self,
        source: CertificateSource,
        clock: Clock,
        warn_days: int = 30,
        clients: ClientAuthoritiesFile | None = None,
    ) -> None:
        self._source = source
        self._clock = clock
        self._warn = datetime.timedelta(days=warn_days)
        self.problem = ""
        self._told_at: float | None = None
        self._asked = asyncio.Event()
        self._stop = asyncio.Event()
        self._clients = clients
        self._clients_problem = ""
        self._clients_told_at: float | None = None
        self.current = self._load()
        # The gateway's own authority, when it is the one, was made just now.
        self.client_authorities = None if clients is None else clients.load(self._now())
        self._tell_current("certificate")
        self._tell_clients("client_certificates")
        self._tell_end()

    @property
    def clients_problem(self) -> str:
        """Why the file of the clients' authorities that lies there now is not used; empty when it is."""
        return self._clients_problem

    def reload_soon(self) -> None:
        """Looks at the files now instead of at the next turn."""
        self._asked.set()

    async def run(self) -> None:
        """Looks again and again until `stop`."""
        await work_until(self._stop, self._look_on())

    async def stop(self) -> None:
        self._stop.set()

    async def _look_on(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._asked.wait()
            except TimeoutError:
                pass
            was_asked = self._asked.is_set()
            self._asked.clear()
            try:
                await asyncio.to_thread(self.look)
            except Exception:
                # What is presented now goes on being presented, and the next look may succeed.
                logger.exception("certificate_look_failed")
            if was_asked:
                self._tell_current("certificate")

    def look(self) -> None:
        """One look at the files; blocks on the disk."""
        try:
            found = self._load()
        except ConfigurationError as error:
            problem = str(error)
            if problem != self.problem:
                logger.warning("certificate_not_reloaded", problem=problem, presented=self.current.thumbprint)
            self.problem = problem
        else:
            self.problem = ""
            is_new = (found.certificate_chain, found.private_key) != (
                self.current.certificate_chain,
                self.current.private_key,
            )
            self.current = found
            if is_new:
                self._told_at = None
                self._tell_current("certificate_reloaded")
        if self._clients is not None:
            self._look_at_clients(self._clients)
        self._tell_end()

    def _look_at_clients(self, clients: ClientAuthoritiesFile) -> None:
        try:
            found = clients.load(self._now())
        except ConfigurationError as error:
            if str(error) != self._clients_problem:
                logger.warning("client_authorities_not_reloaded", problem=str(error))
            self._clients_problem = str(error)
            return
        self._clients_problem = ""
        if found != self.client_authorities:
            self.client_authorities = found
            self._clients_told_at = None
            self._tell_clients("client_authorities_reloaded")

    def _tell_clients(self, event: str) -> None:
        authorities = self.client_authorities
        if authorities is not None:
            logger.info(event, authorities=list(authorities.names), not_after=f"{authorities.ends:%Y-%m-%d}")

    def _load(self) -> ServerCertificate:
        return self._source.load(self._now())

    def _now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self._clock.unix_ns() / 1e9, datetime.UTC)

    def _tell_current(self, event: str) -> None:
        current = self.current
        logger.info(
            event,
            ca_file=str(current.ca_file),
            sha256=current.thumbprint,
            names=list(current.names),
            not_after=f"{current.not_after:%Y-%m-%d}",
        )

    def _tell_end(self) -> None:
        self._tell_end_of_clients()
        left = self.current.not_after - self._now()
        now = self._clock.monotonic()
        if left >= self._warn or (self._told_at is not None and now - self._told_at < TELL_SECONDS):
            return
        self._told_at = now
        end = f"{self.current.not_after:%Y-%m-%d %H:%M} UTC"
        remedy = (
            "set tls.regenerate_if_expired, or run mxgateway cert renew"
            if self._source.is_automatic
            else "replace the files of tls.certificate_file and tls.key_file; they are taken up without a restart"
        )
        if left <= datetime.timedelta(0):
            logger.error("certificate_expired", not_after=end, remedy=remedy)
        else:
            logger.warning("certificate_expires_soon", not_after=end, days=left.days, remedy=remedy)

    def _tell_end_of_clients(self) -> None:
        authorities, now = self.client_authorities, self._clock.monotonic()
        if authorities is None or authorities.ends - self._now() >= self._warn:
            return
        if self._clients_told_at is None or now - self._clients_told_at >= TELL_SECONDS:
            self._clients_told_at = now
            logger.warning(
                "client_authority_expires_soon",
                not_after=f"{authorities.ends:%Y-%m-%d %H:%M} UTC",
                remedy="put its successor into tls.client_ca_file beside it, and give clients new certificates",
            )
