"""Every route of the dashboard with the least role that it needs: the one table that the gate goes by."""

from __future__ import annotations

from collections.abc import Sequence

from mxgateway_server.dashboard.alarms_api import AlarmRoutes
from mxgateway_server.dashboard.audit_api import AuditRoutes
from mxgateway_server.dashboard.control_api import ControlRoutes
from mxgateway_server.dashboard.galaxy_api import GalaxyRoutes
from mxgateway_server.dashboard.keys_api import KeyRoutes
from mxgateway_server.dashboard.logs_api import LogRoutes
from mxgateway_server.dashboard.pages import PAGES, Pages
from mxgateway_server.dashboard.people.signing_in import PeopleSigningIn
from mxgateway_server.dashboard.roles import Role
from mxgateway_server.dashboard.routes import PUBLIC, Rule
from mxgateway_server.dashboard.sessions_api import SessionRoutes
from mxgateway_server.dashboard.settings_api import SettingRoutes
from mxgateway_server.dashboard.signing_in import SigningIn
from mxgateway_server.dashboard.streaming import LiveStreams

_API = "/api/v1"


def page_rules(pages: Pages) -> Sequence[Rule]:
    """What a browser loads first."""
    return [
        *(Rule(method="GET", path=path, needs=PUBLIC, handler=pages.shell) for path in PAGES),
        Rule(method="GET", path="/static/{name}", needs=PUBLIC, handler=pages.file),
    ]


def login_rules(signing_in: SigningIn) -> Sequence[Rule]:
    """Signing in and out."""
    return [
        Rule(method="GET", path=f"{_API}/login", needs=PUBLIC, handler=signing_in.how),
        Rule(method="POST", path=f"{_API}/login", needs=PUBLIC, handler=signing_in.login),
        Rule(method="POST", path=f"{_API}/links", needs=PUBLIC, handler=signing_in.link, is_for_programs=True),
        Rule(method="GET", path=f"{_API}/boot", needs=Role.VIEWER, handler=signing_in.boot, is_use=False),
        Rule(method="POST", path=f"{_API}/logout", needs=Role.VIEWER, handler=signing_in.logout),
        Rule(method="POST", path=f"{_API}/screens", needs=Role.OPERATOR, handler=signing_in.screen),
    ]


def live_rules(streams: LiveStreams) -> Sequence[Rule]:
    """The live figures."""
    return [
        Rule(method="GET", path=f"{_API}/snapshot", needs=Role.VIEWER, handler=streams.snapshot, is_use=False),
        Rule(method="GET", path=f"{_API}/live", needs=Role.VIEWER, handler=streams.live, is_use=False),
    ]


def session_rules(routes: SessionRoutes) -> Sequence[Rule]:
    """Sessions."""
    one = f"{_API}/sessions/{{session_id}}"
    return [
        Rule(method="GET", path=f"{_API}/history", needs=Role.VIEWER, handler=routes.history),
        Rule(method="GET", path=f"{_API}/sessions/ended", needs=Role.VIEWER, handler=routes.ended, is_use=False),
        Rule(method="GET", path=one, needs=Role.VIEWER, handler=routes.one, is_use=False),
        Rule(method="POST", path=f"{_API}/sessions/close", needs=Role.OPERATOR, handler=routes.close),
        Rule(method="POST", path=f"{one}/kill", needs=Role.ADMIN, handler=routes.kill),
    ]


def galaxy_rules(routes: GalaxyRoutes) -> Sequence[Rule]:
    """The Galaxy and watch lists."""
    return [
        Rule(method="GET", path=f"{_API}/galaxy/children", needs=Role.VIEWER, handler=routes.children),
        Rule(method="POST", path=f"{_API}/galaxy/watch", needs=Role.VIEWER, handler=routes.watch, is_use=False),
        Rule(method="GET", path=f"{_API}/galaxy/watch", needs=Role.VIEWER, handler=routes.watched, is_use=False),
        Rule(method="GET", path=f"{_API}/galaxy/search", needs=Role.VIEWER, handler=routes.search),
        Rule(method="GET", path=f"{_API}/galaxy/objects/{{tag_name}}", needs=Role.VIEWER, handler=routes.one),
    ]


def alarm_rules(routes: AlarmRoutes) -> Sequence[Rule]:
    """Alarms."""
    return [
        Rule(method="GET", path=f"{_API}/alarms", needs=Role.VIEWER, handler=routes.listed, is_use=False),
        Rule(method="GET", path=f"{_API}/alarms/history", needs=Role.VIEWER, handler=routes.history),
        Rule(method="GET", path=f"{_API}/alarms/figures", needs=Role.VIEWER, handler=routes.figures),
        Rule(method="POST", path=f"{_API}/alarms/acknowledge", needs=Role.OPERATOR, handler=routes.acknowledge),
        Rule(method="POST", path=f"{_API}/alarms/shelve", needs=Role.OPERATOR, handler=routes.shelve),
    ]


def key_rules(routes: KeyRoutes) -> Sequence[Rule]:
    """Keys."""
    one = f"{_API}/keys/{{key_id}}"
    return [
        Rule(method="GET", path=f"{_API}/keys", needs=Role.ADMIN, handler=routes.listed),
        Rule(method="POST", path=f"{_API}/keys", needs=Role.ADMIN, handler=routes.create),
        Rule(method="POST", path=f"{one}/rotate", needs=Role.ADMIN, handler=routes.rotate),
        Rule(method="POST", path=f"{one}/revoke", needs=Role.ADMIN, handler=routes.revoke),
        Rule(method="POST", path=f"{one}/delete", needs=Role.ADMIN, handler=routes.delete),
    ]


def audit_rules(routes: AuditRoutes) -> Sequence[Rule]:
    """The audit."""
    return [
        Rule(method="GET", path=f"{_API}/audit", needs=Role.ADMIN, handler=routes.listed),
        Rule(method="GET", path=f"{_API}/audit.csv", needs=Role.ADMIN, handler=routes.exported),
    ]


def people_rules(people: PeopleSigningIn) -> Sequence[Rule]:
    """Signing in without a key, by the doors that are open; the others are not there."""
    rules = []
    if people.oidc is not None:
        rules += [
            Rule(method="POST", path=f"{_API}/oidc/start", needs=PUBLIC, handler=people.begin_oidc),
            Rule(method="POST", path=f"{_API}/login/oidc", needs=PUBLIC, handler=people.finish_oidc),
            Rule(method="POST", path=f"{_API}/oidc/logout", needs=PUBLIC, handler=people.end_oidc, is_form=True),
        ]
    if people.ldap is not None:
        rules.append(Rule(method="POST", path=f"{_API}/login/ldap", needs=PUBLIC, handler=people.by_directory))
    if people.proxy is not None:
        rules.append(Rule(method="POST", path=f"{_API}/login/proxy", needs=PUBLIC, handler=people.by_proxy))
    return rules


def control_rules(routes: ControlRoutes) -> Sequence[Rule]:
    """What is asked of the gateway itself."""
    return [
        Rule(method="POST", path=f"{_API}/settings/reload", needs=Role.ADMIN, handler=routes.reload),
        Rule(method="POST", path=f"{_API}/logs/level", needs=Role.ADMIN, handler=routes.level),
        Rule(method="GET", path=f"{_API}/diagnostics", needs=Role.ADMIN, handler=routes.diagnostics),
    ]


def log_rules(routes: LogRoutes) -> Sequence[Rule]:
    """The log."""
    return [Rule(method="GET", path=f"{_API}/logs", needs=Role.OPERATOR, handler=routes.listed, is_use=False)]


def setting_rules(routes: SettingRoutes) -> Sequence[Rule]:
    """The settings."""
    return [Rule(method="GET", path=f"{_API}/settings", needs=Role.ADMIN, handler=routes.listed)]
