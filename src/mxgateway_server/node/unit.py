"""The unit that runs the gateway under systemd: told when it is ready, watched, and kept from what it never uses."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

DEFAULT_NAME = "mxaccess-gateway"
UNIT_FOLDER = Path("/etc/systemd/system")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service.

    Attributes:
        name: of the unit, without `.service`.
        python: the interpreter that has the gateway installed.
        config: settings file; empty for none.
        state: state directory; empty for systemd's own below /var/lib.
        user: account that it runs as.
    """

    name: str
    python: str
    config: str = ""
    state: str = ""
    user: str = "mxgateway"

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"{self.name!r} is no name of a unit: write letters, digits, dots, dashes")
        if not _NAME.match(self.user):
            raise ValueError(f"{self.user!r} is no name of an account")
        for path in (self.python, self.config, self.state):
            if any(each in path for each in "\n\r\0"):
                raise ValueError(f"{path!r} has a line break in it")

    @property
    def state_directory(self) -> str:
        """Where the state is."""
        return self.state or f"/var/lib/{self.name}"

    @property
    def command(self) -> list[str]:
        """What is run."""
        told = [self.python, "-P", "-m", "mxgateway_server", "serve", "--state-dir", self.state_directory]
        return [*told, *(["--config", self.config] if self.config else [])]


def unit_text(service: Service) -> str:
    """The unit file."""
    state = [f"ReadWritePaths={_path(service.state)}"] if service.state else [f"StateDirectory={service.name}"]
    return _UNIT.format(
        user=service.user,
        command=" ".join(_word(each) for each in service.command),
        state="\n".join([*state, "StateDirectoryMode=0700"]),
        home="read-only" if _is_in_home(service) else "yes",
    )


def _is_in_home(service: Service) -> bool:
    return any(path.startswith(("/home/", "/root/")) for path in (service.python, service.config, service.state))


def _word(text: str) -> str:
    # systemd takes % and $ for its own.
    return shlex.quote(text).replace("%", "%%").replace("$", "$$")


def _path(text: str) -> str:
    return text.replace("%", "%%").replace(" ", "\\x20")


_UNIT = """\
[Unit]
Description=MXAccess gateway
Documentation=man:systemd.service(5)
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
NotifyAccess=main
WatchdogSec=30
User={user}
Group={user}
{state}
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
KillMode=mixed
KillSignal=SIGTERM
TimeoutStartSec=120
TimeoutStopSec=45
Restart=on-failure
RestartSec=2
UMask=0077
LimitNOFILE=65536

# What the gateway and its workers never use. If a database driver needs one of these, the log says so: drop that line.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
LockPersonality=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome={home}
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
