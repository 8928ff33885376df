"""Timers that contradict one another.

Each rule is an arithmetic condition between timers of different daemons, which none of the daemons can see. Where a
daemon itself refuses the combination, the bound is from its own source.
"""

from __future__ import annotations

from collections.abc import Iterator

from fournines.timing import fencing
from fournines.timing.contradiction import STALL, Contradiction
from fournines.timing.timers import TOKEN_ATTEMPTS, WRITER_PATIENCE, Timers

#: Seconds after which a database writer that is cut off has stopped acting (`agent.observer.writer`).
CUT_OFF_WRITER = WRITER_PATIENCE / 2

#: Seconds after which an idle listener of oslo.messaging looks up from its connection (ACK_REQUEUE_EVERY_SECONDS_MAX),
#: and, if that is lost, from trying the same broker again. Kombu gives a connect up after as long.
LISTENER_PATIENCE = 5.0


def contradictions(t: Timers) -> Iterator[Contradiction]:
    """Everything in `t` that does not fit together."""
    for rule in (_vip, _departed, fencing.rules, _checks, _patience, _galera, _bus, _dead_peers, _agents, _singles):
        yield from rule(t)


def failed_connect(t: Timers) -> float:
    """Seconds until the kernel gives up a connect that nothing answers: after the linear waits, of 1 s each, every wait
    is twice the one before (RFC 6298)."""
    return t.tcp_syn_linear_timeouts + 2.0 ** (t.tcp_syn_retries + 1) - 1


def takeover(t: Timers) -> float:
    """Seconds after which the keenest backup claims the VIP: three adverts; its skew is close to nothing (RFC 5798)."""
    return 3 * t.vrrp_advert


def frozen_backend(t: Timers) -> float:
    """Seconds until HAProxy leaves a backend that accepts connections and never answers, at worst."""
    return t.check_inter + t.check_fall * t.check_timeout + (t.check_fall - 1) * t.check_fastinter


def frozen_api(t: Timers) -> float:
    """The same of the Python APIs that are checked less often."""
    return frozen_backend(t) + t.api_check_inter - t.check_inter


def idle_connection(t: Timers) -> float:
    """Seconds until the kernel ends a connection to a dead peer on which nothing is being sent."""
    return float(t.tcp_keepalive_time + t.tcp_keepalive_interval * t.tcp_keepalive_probes)


def _vip(t: Timers) -> Iterator[Contradiction]:
    if not t.vip_quorum:
        return
    if t.vip_lease < 3 * t.agent_heartbeat:
        yield Contradiction(
            ("vip_lease", "agent_heartbeat"),
            f"a vote for the VIP's holder stands for {t.vip_lease:g} s, fewer than three heartbeats of "
            f"{t.agent_heartbeat:g} s",
            "one lost packet would shut the VIP",
            f"vip_lease of at least {3 * t.agent_heartbeat:g}, or more frequent heartbeats",
        )
    if t.degraded < t.vip_lease:
        yield Contradiction(
            ("degraded", "vip_lease"),
            f"degraded ({t.degraded:g} s) is shorter than vip_lease ({t.vip_lease:g} s)",
            "the survivors of a loss would be less patient with one another than before it",
            f"degraded of at least {t.vip_lease:g}",
        )
    if 0 < t.dead_host < t.vip_lease:
        yield Contradiction(
            ("dead_host", "vip_lease"),
            f"a silent host is declared dead after {t.dead_host:g} s, but the votes for it stand for {t.vip_lease:g} s",
            "the VIP stays away until they have ended",
            f"vip_lease of at most {t.dead_host:g}",
            fatal=False,
        )
    if 0 < t.vip_lease <= STALL:
        yield Contradiction(
            ("vip_lease",),
            f"a vote for the VIP's holder stands for {t.vip_lease:g} s",
            "scheduling on a saturated host was seen to stall for as long: the VIP would shut with nothing broken",
            f"vip_lease above {STALL:g}; `fournines status` shows what the hosts' own worst delay is",
            fatal=False,
        )


def _departed(t: Timers) -> Iterator[Contradiction]:
    if not t.dead_host:
        return
    if t.dead_host < CUT_OFF_WRITER:
        yield Contradiction(
            ("dead_host",),
            f"a silent host is declared dead after {t.dead_host:g} s, but one that was cut off takes writes for up to "
            f"{CUT_OFF_WRITER:g} s",
            "the others would put a successor beside it while it still serves",
            f"dead_host of at least {CUT_OFF_WRITER:g}",
        )
    if t.dead_host < 6 * t.agent_heartbeat:
        yield Contradiction(
            ("dead_host", "agent_heartbeat"),
            f"dead_host ({t.dead_host:g} s) spans fewer than six heartbeats of {t.agent_heartbeat:g} s",
            "a host would be declared dead before it was asked three times",
            f"dead_host of at least {6 * t.agent_heartbeat:g}",
        )


def _checks(t: Timers) -> Iterator[Contradiction]:
    if t.check_timeout < 1.0:
        yield Contradiction(
            ("check_timeout",),
            f"a health check has {t.check_timeout:g} s to answer",
            "a busy host takes longer, so load alone would take healthy backends out, all of them at once",
            "check_timeout of at least 1",
        )
    elif t.check_timeout <= t.check_inter:
        yield Contradiction(
            ("check_timeout", "check_inter"),
            f"check_timeout ({t.check_timeout:g} s) is not longer than check_inter ({t.check_inter:g} s)",
            "what bounds an answer is then how often one asks: a slow backend counts as a dead one",
            "check_timeout above check_inter",
            fatal=False,
        )
    if frozen_backend(t) >= t.server_timeout:
        yield Contradiction(
            ("check_timeout", "check_fall", "check_inter", "server_timeout"),
            f"a frozen backend is noticed after {frozen_backend(t):g} s, its requests time out after "
            f"{t.server_timeout:g} s",
            "the check is slower than the timeout above it: every request to the backend fails before it is left",
            "a smaller check_timeout or check_fall",
        )
    if t.check_fall < 2:
        yield Contradiction(
            ("check_fall",),
            f"check_fall is {t.check_fall}",
            "one lost packet takes a backend out",
            "check_fall of at least 2",
            fatal=False,
        )


def _patience(t: Timers) -> Iterator[Contradiction]:
    """Whoever waits for another must wait longer than the other needs to answer or to fail."""
    waits = [
        ("client_timeout", t.client_timeout, "server_timeout", t.server_timeout,
         "HAProxy drops the client while the backend still works on its request"),
        ("server_timeout", t.server_timeout, "queue_timeout", t.queue_timeout,
         "a request that waited for a free backend times out at its client before it gets one"),
        ("server_timeout", t.server_timeout, "db_read_timeout", t.db_read_timeout,
         "a request is cut before the API learns that its database connection is dead"),
    ]  # fmt: skip
    for patient, longer, busy, shorter, why in waits:
        if longer < shorter:
            yield Contradiction(
                (patient, busy),
                f"{patient} ({longer:g} s) is shorter than {busy} ({shorter:g} s)",
                why,
                f"{patient} of at least {shorter:g}",
            )
    if t.rpc_response_timeout >= t.server_timeout:
        yield Contradiction(
            ("rpc_response_timeout", "server_timeout"),
            f"rpc_response_timeout ({t.rpc_response_timeout:g} s) is not shorter than server_timeout "
            f"({t.server_timeout:g} s)",
            "the client gets a 504 from the load balancer before the API can say which call failed",
            f"rpc_response_timeout below {t.server_timeout:g}",
        )
    if 0 < t.api_timeout <= frozen_api(t) and frozen_backend(t) < t.server_timeout:
        yield Contradiction(
            ("api_timeout", "api_check_inter"),
            f"a call from service to service times out after {t.api_timeout:g} s; a frozen API is noticed after "
            f"{frozen_api(t):g} s",
            "every call that meets one fails, and so does the request that needed it",
            f"api_timeout above {frozen_api(t):g}",
        )
    if 0 < t.api_timeout <= t.rpc_response_timeout < t.server_timeout:
        yield Contradiction(
            ("api_timeout", "rpc_response_timeout"),
            f"a call from service to service times out after {t.api_timeout:g} s, which itself waits up to "
            f"{t.rpc_response_timeout:g} s for an RPC (rpc_response_timeout)",
            "what was asked for is done all the same, and nobody has its result: ports and volumes without an owner",
            f"api_timeout above {t.rpc_response_timeout:g}",
        )
    if t.api_timeout >= t.server_timeout:
        yield Contradiction(
            ("api_timeout", "server_timeout"),
            f"api_timeout ({t.api_timeout:g} s) is not shorter than server_timeout ({t.server_timeout:g} s)",
            "the client gets a 504 from the load balancer while one service still waits for another",
            f"api_timeout below {t.server_timeout:g}",
        )
    validation = TOKEN_ATTEMPTS * t.token_timeout
    if validation > (t.api_timeout or t.server_timeout):
        yield Contradiction(
            ("token_timeout", "api_timeout"),
            f"{TOKEN_ATTEMPTS} attempts of {t.token_timeout:g} s to validate a token take {validation:g} s, and the "
            f"caller times out after {t.api_timeout or t.server_timeout:g} s",
            "the request times out before anything was done for it",
            f"token_timeout of at most {(t.api_timeout or t.server_timeout) / TOKEN_ATTEMPTS:g}",
        )
    if 0 < t.token_timeout <= t.db_read_timeout < t.rpc_response_timeout:
        yield Contradiction(
            ("token_timeout", "db_read_timeout"),
            f"an API gives Keystone {t.token_timeout:g} s to validate a token, Keystone its database "
            f"{t.db_read_timeout:g} s",
            "a failover of the database becomes an error where it would have been a wait",
            f"token_timeout above {t.db_read_timeout:g}",
        )
    if t.rpc_response_timeout <= t.db_read_timeout <= t.server_timeout:
        yield Contradiction(
            ("rpc_response_timeout", "db_read_timeout"),
            f"an RPC times out after {t.rpc_response_timeout:g} s, while who answers it waits up to "
            f"{t.db_read_timeout:g} s for the database",
            "the caller reports a failure of what then succeeds",
            f"rpc_response_timeout above {t.db_read_timeout:g}",
        )
    if 0 < t.db_read_timeout <= t.evs_inactive + t.evs_install:
        yield Contradiction(
            ("db_read_timeout", "evs_inactive", "evs_install"),
            f"a query times out after {t.db_read_timeout:g} s; Galera may need "
            f"{t.evs_inactive + t.evs_install:g} s to form a new view",
            "the client times out before its server does: a commit that is about to succeed becomes an unknown one",
            f"db_read_timeout above {t.evs_inactive + t.evs_install:g}",
        )
    if t.db_read_timeout == 0 and idle_connection(t) > t.server_timeout:
        yield Contradiction(
            ("db_read_timeout", "tcp_keepalive_time"),
            f"a query that was in flight through a dead load balancer hangs for {idle_connection(t):g} s",
            "nothing is left to send, so neither a reset nor tcp_retries2 ends it, only kernel keepalive does",
            "a db_read_timeout, or a shorter tcp_keepalive_time",
        )


def _galera(t: Timers) -> Iterator[Contradiction]:
    if t.evs_suspect <= 1.0:
        yield Contradiction(
            ("evs_suspect",),
            f"Galera suspects a node after {t.evs_suspect:g} s of silence",
            "a scheduling stall on a busy host lasts that long; survivors of a failure then suspect one another, and "
            "the whole cluster stops (measured at 1 s)",
            "evs_suspect of at least 1.5",
        )
    bounds = [
        ("evs_keepalive", t.evs_keepalive, "evs_suspect / 3", 0.1, t.evs_suspect / 3),
        ("evs_install", t.evs_install, "evs_inactive", 2 * t.evs_keepalive, t.evs_inactive),
    ]
    for name, value, upper, low, high in bounds:
        if not low <= value <= high + 1e-9:
            yield Contradiction(
                (name,),
                f"{name} ({value:g} s) is outside {low:g}..{high:g} s ({upper})",
                "Galera refuses to start with it",
                f"{name} between {low:g} and {high:g}",
            )
    if t.evs_inactive <= t.evs_suspect:
        yield Contradiction(
            ("evs_inactive", "evs_suspect"),
            f"evs_inactive ({t.evs_inactive:g} s) is not longer than evs_suspect ({t.evs_suspect:g} s)",
            "a node would be expelled before the others could agree that it is silent",
            f"evs_inactive of {2 * t.evs_suspect:g}",
        )


def _bus(t: Timers) -> Iterator[Contradiction]:
    noticed = min(t.amqp_heartbeat, t.tcp_user_timeout or t.amqp_heartbeat)
    if noticed >= t.rpc_response_timeout:
        yield Contradiction(
            ("amqp_heartbeat", "rpc_response_timeout"),
            f"a dead broker is noticed after {noticed:g} s, an RPC times out after {t.rpc_response_timeout:g} s",
            "every call in flight fails, where a reconnect in time would have delivered its reply",
            f"amqp_heartbeat or tcp_user_timeout below {t.rpc_response_timeout:g}",
        )
    if t.amqp_reply_retry > t.rpc_response_timeout:
        yield Contradiction(
            ("amqp_reply_retry", "rpc_response_timeout"),
            f"a reply is offered for {t.amqp_reply_retry:g} s to a caller that waits {t.rpc_response_timeout:g} s",
            "a worker is kept from other work for an answer that nobody wants any more",
            f"amqp_reply_retry of at most {t.rpc_response_timeout:g}",
            fatal=False,
        )
    connecting = min(failed_connect(t), LISTENER_PATIENCE)
    if t.amqp_reconnect_delay + connecting >= LISTENER_PATIENCE:
        yield Contradiction(
            ("tcp_syn_retries", "amqp_reconnect_delay"),
            f"a connect to a dead broker takes {connecting:g} s, amqp_reconnect_delay before it "
            f"{t.amqp_reconnect_delay:g} s",
            f"an oslo.messaging listener that gets no connection within {LISTENER_PATIENCE:g} s begins again with the "
            "same broker: it stays with the dead one until that is back, or the kernel refuses at once",
            "tcp_syn_retries of 1, tcp_syn_linear_timeouts of 0, and amqp_reconnect_delay below 2",
            fatal=False,
        )
    if t.amqp_heartbeat < t.net_ticktime:
        yield Contradiction(
            ("amqp_heartbeat", "net_ticktime"),
            f"amqp_heartbeat ({t.amqp_heartbeat:g} s) is shorter than net_ticktime ({t.net_ticktime:g} s)",
            "clients leave a silent broker before the brokers themselves know that it is gone",
            f"amqp_heartbeat of at least {t.net_ticktime:g}",
            fatal=False,
        )
    if t.net_ticktime < 4:
        yield Contradiction(
            ("net_ticktime",),
            f"net_ticktime is {t.net_ticktime:g} s",
            "a busy Erlang node misses its ticks: the brokers declare a partition where there is none",
            "net_ticktime of at least 4",
        )


def _dead_peers(t: Timers) -> Iterator[Contradiction]:
    if t.memcache_socket_timeout >= t.check_timeout:
        yield Contradiction(
            ("memcache_socket_timeout", "check_timeout"),
            f"memcache_socket_timeout ({t.memcache_socket_timeout:g} s) is not shorter than check_timeout "
            f"({t.check_timeout:g} s)",
            "one dead memcached makes the APIs fail their health checks",
            f"memcache_socket_timeout below {t.check_timeout:g}",
        )
    connecting = t.connect_timeout * (t.retries + 1)
    if connecting > t.client_timeout:
        yield Contradiction(
            ("connect_timeout", "retries", "client_timeout"),
            f"{t.retries + 1} connects of {t.connect_timeout:g} s take longer than client_timeout "
            f"({t.client_timeout:g} s)",
            "the client is dropped before the last backend has been tried",
            f"connect_timeout below {t.client_timeout / (t.retries + 1):g}",
        )


def _agents(t: Timers) -> Iterator[Contradiction]:
    for name, down in (("service_down", t.service_down), ("agent_down", t.agent_down)):
        if down < 2 * t.report_interval:
            yield Contradiction(
                (name, "report_interval"),
                f"{name} ({down:g} s) is less than two report_interval ({t.report_interval:g} s)",
                "one late report declares a healthy agent dead, and its work is moved",
                f"{name} of at least {2 * t.report_interval:g}",
            )


def _singles(t: Timers) -> Iterator[Contradiction]:
    if t.sentinel_down <= 1.0:
        yield Contradiction(
            ("sentinel_down",),
            f"Sentinel takes a Valkey for dead after {t.sentinel_down:g} s of silence",
            "a scheduling stall on a busy host lasts that long, and each failover drops the locks of the last moment",
            "sentinel_down of at least 1.5",
        )
    # Its holder gives up after three quarters of it, to be surely gone when another one takes over.
    if 0.75 * t.service_lease <= t.evs_inactive + t.evs_install:
        yield Contradiction(
            ("service_lease", "evs_inactive", "evs_install"),
            f"a lease of {t.service_lease:g} s is renewed in the database within {0.75 * t.service_lease:g} s; Galera "
            f"may need {t.evs_inactive + t.evs_install:g} s to form a new view",
            "each failover of the database would stop the services that run on one host at a time",
            f"service_lease above {(t.evs_inactive + t.evs_install) / 0.75:g}",
        )
