"""This machine's Galaxy, sign-ins, collector, ports and state directory, for `mxgateway doctor`."""

from __future__ import annotations

from datetime import UTC, datetime

from mxgateway_contract.installing import install_command
from mxgateway_server.config.settings import Settings
from mxgateway_server.errors import ConfigurationError
from mxgateway_server.galaxy.errors import GalaxySourceError
from mxgateway_server.galaxy.place import find_galaxy
from mxgateway_server.node.facts import CollectorFacts, DoorFacts, GalaxyFacts
from mxgateway_server.rpc.ports import why_not_listen
from mxgateway_server.state import is_held
from mxgateway_server.telemetry.opening import missing_package, why_no_collector
from mxgateway_server.wiring import galaxy_source


class ConfiguredSurroundings:
    """Surroundings, as the settings name them; looks and changes nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def galaxy(self) -> GalaxyFacts:
        settings = self._settings
        try:
            place = find_galaxy(settings.galaxy.connection_string, settings.state_path, builds=False)
            if place.file is not None and not place.file.is_file():
                return GalaxyFacts(f"{place.name} (built at the first start)")
            source = galaxy_source(settings, place.source)
        except ConfigurationError as error:
            return GalaxyFacts("", str(error))
        try:
            source.test_connection()
            source.read_deploy_time()
            began = datetime.now(UTC)
            told = source.read_clock()
            ended = datetime.now(UTC)
        except GalaxySourceError as error:
            return GalaxyFacts(source.display_name, error.detail or error.problem)
        finally:
            source.close()
        if told is None:
            return GalaxyFacts(source.display_name)
        between = (began + (ended - began) / 2).replace(tzinfo=None)
        return GalaxyFacts(source.display_name, ahead=(told - between).total_seconds())

    def doors(self) -> list[DoorFacts]:
        dashboard = self._settings.dashboard
        if not (dashboard.enabled and (dashboard.oidc.issuer or dashboard.ldap.url)):
            return []
        from mxgateway_server.dashboard.people.looking import look_at_doors

        return look_at_doors(self._settings)

    def collector(self) -> CollectorFacts | None:
        telemetry = self._settings.telemetry
        if not telemetry.enabled:
            return None
        problem = missing_package()
        if problem:
            return CollectorFacts(telemetry.endpoint, f"{problem} is not installed", install_command("otel"))
        problem = why_no_collector(telemetry)
        remedy = "start a collector that takes OTLP over gRPC there, or correct telemetry.endpoint" if problem else ""
        return CollectorFacts(telemetry.endpoint, problem, remedy)

    def why_not_listen(self, address: str) -> str:
        refusal = why_not_listen(address)
        return "" if refusal is None else refusal.cause

    def is_running(self) -> bool:
        return is_held(self._settings.state_path)
