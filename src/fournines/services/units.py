"""Units of OpenStack's services: APIs under uWSGI, and plain daemons.

Whole units, not drop-ins: the packaged ones start a database and a bus on their own host, bind every address, and end
quietly when something is missing. An API is drained before it stops: its health check turns 404, which tells HAProxy to
send it nothing new, and only then does uWSGI finish what it has. It starts as it stops: its check is 404 until it has
answered the first requests, which the host itself sends.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from fournines.cloud.model import Cloud, Host
from fournines.services import endpoints, passive, sandbox, tls
from fournines.services.capabilities import Frontend, Movable
from fournines.services.options import operators
from fournines.services.render import ini, program, template
from fournines.services.resource import Directory, File, Package, Resource, Task, Unit
from fournines.services.sandbox import Sandbox
from fournines.services.service import Check
from fournines.timing import timers

WORKERS = "/usr/lib/fournines/workers"
LOADED = "/usr/lib/fournines/loaded"
GET = "/usr/lib/fournines/openstack-get"
#: Written by the agent's service; these units come after it, wherever it is.
QUORUM_FIRST = "fournines-quorum-first.service"
#: Reached at a boot when this host's APIs have started; what works behind them comes after it.
APIS = "fournines-apis.target"
#: Keystone's unit: every other API asks it for tokens as soon as it starts.
FIRST_API = "keystone.service"

#: Lines that a health check leaves in the journal of an API under uWSGI, as extended regular expressions
#: (LogFilterPatterns of systemd.exec(5), which takes a backslash for its own): HAProxy resets its connection as soon as
#: it has the status, and some APIs write a line for each request. CHECK: the path of the check.
_OF_CHECKS = (
    "^uwsgi_proto_.*Connection reset by peer",
    'requestlog .*"GET CHECK" status: (200|404)',
)

#: Bytes of the largest request that an API is sent: Heat's limit of a stack's files, doubled.
BODY = 2 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Wsgi:
    """An API under uWSGI. `service` is the module whose options in the cloud file go into its file.

    application: what uWSGI loads, such as `{"wsgi-file": "/usr/bin/placement-api"}`, or a file of `scripts`. check: a
    path that answers 2xx without a token. workers: the fewest processes. nice: as of nice(1), of one that serves.
    inter: seconds between checks; 0: the budget's `api_check_inter`. options: the file's name in the cloud file, where
    a service has several. sandbox: as of `Daemon`. forked: loaded once, by uWSGI's master, whose forks its processes
    are: for applications that neither connect nor start a thread while they load. config, asked: a file with the
    service's own account in `[keystone_authtoken]`, and a path that is asked with a token of it: by the unit that
    starts, before a load balancer sends it anything, and by `apply`, which wants an answer.
    """

    unit: str
    service: str
    description: str
    user: str
    port: int
    application: Mapping[str, str] | str
    check: str = "/healthcheck"
    workers: int = 1
    threads: int = 4
    nice: int = 0
    inter: float = 0.0
    options: str = "uwsgi.ini"
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    sandbox: Sandbox | None = None
    forked: bool = False
    config: str = ""
    asked: str = ""

    @property
    def name(self) -> str:
        return self.unit.removesuffix(".service")

    @property
    def ini(self) -> str:
        return f"/etc/fournines/uwsgi/{self.name}.ini"

    @property
    def program(self) -> str:
        """Where the host has the file of `scripts`."""
        return f"/usr/lib/fournines/{self.name}-application.py"

    @property
    def certificate(self) -> str:
        """Of the host, for this API's user to read."""
        return f"{tls.DIRECTORY}/{self.name}.pem"

    @property
    def drain_file(self) -> str:
        """While it is there, the health check is 404."""
        return f"/run/{self.name}/drain"


def wsgi(cloud: Cloud, host: Host, api: Wsgi) -> Iterable[Resource]:
    """Its packages, file and unit, and the unit's running: last of what a service yields for it."""
    restart = (f"restart:{api.unit}",)
    yield Package("uwsgi-plugin-python3")
    yield from scripts()
    yield Directory("/etc/fournines/uwsgi")
    if tls.apis(cloud):
        pem = tls.host_pem(cloud, host)
        yield File(api.certificate, pem, mode=0o640, group=api.user, secret=True, triggers=restart)
    if isinstance(api.application, str):
        program = files("fournines.services").joinpath("scripts", api.application).read_text(encoding="utf-8")
        yield File(api.program, program, triggers=restart)
    yield File(api.ini, _uwsgi(cloud, host, api), triggers=restart)
    drain = math.ceil(_inter(cloud, api) + timers(cloud).check_timeout)
    environment = {
        **_bus_environment(api.name),
        # A worker thread that waits for requests sends no heartbeat; a thread of its own does.
        "OS_OSLO_MESSAGING_RABBIT__HEARTBEAT_IN_PTHREAD": "true",
        **api.environment,
    }
    text = template(
        "units/wsgi.service.j2",
        api=api,
        environment=environment,
        drain_seconds=drain,
        stop_timeout=f"{_stop_timeout(cloud, api.unit, drain + 30):g}",
        workers=WORKERS,
        after=QUORUM_FIRST if api.unit == FIRST_API else f"{QUORUM_FIRST} {FIRST_API}",
        before=APIS,
        weight=weight(api.nice),
        sandbox=(api.sandbox or sandbox.service(api.user)).lines,
        quiet=[pattern.replace("CHECK", api.check) for pattern in _OF_CHECKS],
        loaded=_loaded(cloud, host, api),
    )
    yield File(f"/etc/systemd/system/{api.unit}", text, triggers=restart)
    yield from passive.unit(cloud, api.unit)


def _loaded(cloud: Cloud, host: Host, api: Wsgi) -> str:
    url = f"{tls.scheme(cloud)}://{host.address}:{api.port}"
    # With a query it is not the load balancers' check, and is answered by the application.
    words = [LOADED, f"{url}{api.check}?loaded", str(api.nice), api.drain_file]
    return shlex.join([*words, api.config, f"{url}{api.asked}"] if api.asked else words)


def weight(nice: int) -> int:
    """CPUWeight=, of 1 to 10,000, of a unit whose processes have this niceness. Where units have cgroups with the cpu
    controller, niceness counts within a unit alone; the kernel's own steps (a quarter more for each) are kept."""
    return round(100 * 1.25**-nice)


def _stop_timeout(cloud: Cloud, unit: str, usual: float) -> float:
    """Seconds. The cluster fences the host of a unit that takes too long."""
    return min(usual, passive.stop_timeout(cloud)) if passive.moves(cloud, unit) else usual


def movable(*made: Wsgi | Daemon) -> tuple[Movable, ...]:
    """What the cluster has to know of each where its service is passive."""
    return tuple(Movable(one.unit, one.port, one.check) if isinstance(one, Wsgi) else Movable(one.unit) for one in made)


def frontend(cloud: Cloud, api: Wsgi, *, public: bool = True, public_port: int = 0, repeatable: str = "") -> Frontend:
    """Its port on the load balancer, on both VIPs unless it is not `public`."""
    return Frontend(
        api.name,
        api.port,
        "http",
        check=api.check,
        public=public,
        public_port=public_port,
        inter=_inter(cloud, api),
        repeatable=repeatable,
        encrypts=True,
        body=BODY,
        settings={"http-check disable-on-404": True},
    )


def none_listed(what: str, config: str, url: str, key: str, *, refused: str = "") -> Task:
    """That GET `url`, with the account of `config`, lists nothing under `key`: deletes each, or (`refused`) says why it
    goes no further."""
    asked = f"{key} {shlex.quote(config)} {shlex.quote(url)}"
    check = f"{GET} --none {asked}"
    says = f'[ "$({check})" = ok ] || {{ echo {shlex.quote(refused)} >&2; exit 1; }}'
    return Task(what, check, says if refused else f"{GET} --delete {asked}", python=True, timeout=300)


def answers(cloud: Cloud, host: Host, api: Wsgi) -> Iterable[Check]:
    """`asked`, of an API under uWSGI."""
    return asked(cloud, host, api.service, unit=api.unit, port=api.port, config=api.config, path=api.asked)


def asked(
    cloud: Cloud,
    host: Host,
    service: str,
    *,
    unit: str,
    port: int,
    config: str,
    path: str,
    public: bool = True,
) -> Iterable[Check]:
    """The service's own account (of `[keystone_authtoken]` in `config`) buys a token, and GET `path` with it is
    answered: by this host's API itself, where it runs; of the first host also through the VIPs."""
    region = cloud.region_of(host)
    urls = [f"{tls.scheme(cloud)}://{host.address}:{port}{path}"]
    name = f"GET {path} of {unit.removesuffix('.service')} is answered"

    def ask(urls: Iterable[str]) -> str:
        return f"{GET} {config} {' '.join(shlex.quote(url) for url in urls)}"

    if passive.moves(cloud, unit):
        own = passive.here(cloud, unit, ask(urls))
        yield Check(f"{name}, where it runs", host.name, own, within=180, unit=unit)
        urls = []
    if host == cloud.hosts_of(service, host.region)[0]:
        urls.append(endpoints.internal(cloud, region, port, path))
        urls += [endpoints.public(region, port, path)] if public else []
    if urls:
        yield Check(name, host.name, ask(urls), within=180, unit=unit)


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A plain daemon. config: name of the file that holds `workers`: (section, option) of counts of processes, sized by
    the host unless the operator sets them. decided: (section, option, program): other options that the host decides, by
    what the program prints. kill_mode: `process` leaves what the daemon started alive. before_stop: sh that runs while
    it still serves. watchdog: seconds; it tells systemd when it is ready and that it lives, and is killed after so long
    a silence. after: units. upholds: units that are to run while this one does. nice: as of nice(1); APIs have 0, what
    only measures 10. sandbox: where it needs another than `sandbox.service` of its user. quiet: extended regular
    expressions of lines that say nothing and come all the time; they are kept out of the journal."""

    unit: str
    service: str
    description: str
    user: str
    command: str
    config: str = ""
    workers: tuple[tuple[str, str], ...] = ()
    decided: tuple[tuple[str, str, str], ...] = ()
    kill_mode: str = "mixed"
    kill_signal: str = "SIGTERM"
    before_stop: str = ""
    stop_timeout: int = 60
    watchdog: float = 0.0
    after: tuple[str, ...] = ()
    upholds: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    nice: int = 5
    sandbox: Sandbox | None = None
    quiet: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.unit.removesuffix(".service")


def daemon(cloud: Cloud, made: Daemon) -> Iterable[Resource]:
    """Its unit, and the unit's running."""
    yield from scripts()
    own = cloud.options(made.service, made.config)
    decided = (*((section, option, f"{WORKERS} 1") for section, option in made.workers), *made.decided)
    # The environment goes before the file, so what the operator's file sets is left out of it.
    asked = {
        f"OS_{section.upper()}__{option.upper()}": program
        for section, option, program in decided
        if option not in own.get(section, {})
    }
    text = template(
        "units/daemon.service.j2",
        after=f"{QUORUM_FIRST} {APIS}",
        daemon=made,
        stop_timeout=f"{_stop_timeout(cloud, made.unit, made.stop_timeout):g}",
        environment={**_bus_environment(made.name), **made.environment},
        asked=asked,
        weight=weight(made.nice),
        sandbox=(made.sandbox or sandbox.service(made.user)).lines,
    )
    yield File(f"/etc/systemd/system/{made.unit}", text, triggers=(f"restart:{made.unit}",))
    yield from passive.unit(cloud, made.unit)


@dataclass(frozen=True, kw_only=True)
class Round:
    """A command that makes one round and ends, again `every` (systemd's time span) after it has ended. sandbox: as of
    `Daemon`."""

    name: str
    description: str
    user: str
    command: str
    every: str
    sandbox: Sandbox | None = None

    @property
    def timer(self) -> str:
        return f"{self.name}.timer"


def rounds(made: Round) -> Iterable[Resource]:
    """Its unit, its timer, and the timer's running. What runs seldom should not hold memory meanwhile."""
    yield File(
        f"/etc/systemd/system/{made.name}.service",
        template("units/round.service.j2", round=made, sandbox=(made.sandbox or sandbox.service(made.user)).lines),
    )
    yield File(
        f"/etc/systemd/system/{made.timer}",
        template("units/round.timer.j2", round=made),
        triggers=(f"restart:{made.timer}",),
    )
    yield Unit(made.timer)


def runs(cloud: Cloud, host: Host, unit: str) -> Check:
    """A daemon that has no question to be asked, and has been up for ten seconds; or the cluster runs it elsewhere."""
    up = (
        f'[ "$(systemctl show -P ActiveState {unit})" = active ] && now=$(cut -d. -f1 /proc/uptime)'
        f" && since=$(systemctl show -P ActiveEnterTimestampMonotonic {unit})"
        " && [ $((now - since / 1000000)) -ge 10 ]"
    )
    if passive.moves(cloud, unit):
        up = f"systemctl -q is-active {unit} || {{ {passive.located(unit)}; exit; }}\n{up}"
    return Check(f"{unit.removesuffix('.service')} stays up", host.name, up, within=120, unit=unit)


def scripts() -> Iterable[Resource]:
    """What units and checks call."""
    yield File(WORKERS, template("units/workers.sh.j2"), mode=0o755)
    yield File(LOADED, template("units/loaded.sh.j2", get=GET), mode=0o755)
    yield File(GET, program("openstack_get.py"), mode=0o755)


def _inter(cloud: Cloud, api: Wsgi) -> float:
    return api.inter or timers(cloud).api_check_inter


def _bus_environment(name: str) -> dict[str, str]:
    """oslo.messaging names a process's queues after it; under uWSGI it would be `uwsgi_python3` for all."""
    return {"OS_OSLO_MESSAGING_RABBIT__PROCESSNAME": name}


def _socket(cloud: Cloud, host: Host, api: Wsgi) -> dict[str, str]:
    address = f"{host.address}:{api.port}"
    if tls.apis(cloud):
        return {"https-socket": f"{address},{api.certificate},{api.certificate}"}
    return {"http-socket": address}


def _uwsgi(cloud: Cloud, host: Host, api: Wsgi) -> str:
    settings: dict[str, Any] = {
        **_socket(cloud, host, api),
        "plugin": "python3",
        **({"wsgi-file": api.program} if isinstance(api.application, str) else api.application),
        "need-app": True,
        "master": True,
        **({} if api.forked else {"lazy-apps": True}),
        "enable-threads": True,
        "thunder-lock": True,
        "processes": "$(FOURNINES_WORKERS)",
        "threads": api.threads,
        "listen": 1024,
        "buffer-size": 65535,
        # Of a pause inside a request; with uWSGI's own 4 s an upload over a slow line is refused.
        "socket-timeout": math.ceil(timers(cloud).server_timeout),
        # Without, a body that is sent in chunks arrives empty: images of 0 bytes, and no error.
        "wsgi-manage-chunked-input": True,
        "start-time": "%t",
        "no-orphans": True,
        # A load balancer hangs up as soon as it has its answer: an exception in the application for each of its checks.
        "disable-write-exception": True,
        "ignore-sigpipe": True,
        "ignore-write-errors": True,
        "disable-logging": True,
        "log-5xx": True,
        # SIGTERM lets every worker finish what it has, for so many seconds.
        "hook-master-start": "unix_signal:15 gracefully_kill_them_all",
        "worker-reload-mercy": 20,
        "route-if-not": f"equal:${{REQUEST_URI}};{api.check} goto:serve",
        "route-if": f"exists:{api.drain_file} break:404 Not Found",
        "route-label": "serve",
    }
    return ini({"uwsgi": settings}, operators(cloud, api.service, api.options))
