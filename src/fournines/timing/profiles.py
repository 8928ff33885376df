"""Named sets of timers: two of our own, derived from one number, and what the peers ship, as baselines.

`detect` is how long a failure of any part may stay unnoticed, in seconds. `lan` asks for 1 s, `wan` for 4 s. What waits
for detection scales with it, down to a floor below which load alone looks like failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from fournines.timing.timers import Timers

#: Our own profiles and their `detect`.
DETECT: Mapping[str, float] = {"lan": 1.0, "wan": 4.0}

#: A Galera node that a busy host does not run for a second must not be suspected: with 1 s, two survivors suspected
#: each other while the third was dead, and the cluster stayed non-Primary (measured on a saturated machine).
SAFE_EVS_SUSPECT = 1.5


def derive(detect: float) -> Timers:
    """Our timers for one failure-detection budget."""

    def scaled(at_one_second: float, floor: float) -> float:
        return round(max(at_one_second * detect, floor), 3)

    def whole(at_one_second: float, floor: int) -> int:
        return max(ceil(at_one_second * detect), floor)

    suspect = scaled(1.5, SAFE_EVS_SUSPECT)
    return Timers(
        vrrp_advert=scaled(0.15, 0.05),
        # Ends before the others may vote for another host, which is when they take this one for dead.
        vip_lease=scaled(0.35, 0.07),
        agent_heartbeat=scaled(0.05, 0.02),
        # Not before a cut-off database writer has stopped: agents do after half their patience with it.
        dead_host=scaled(0.4, 0.4),
        # As Galera: survivors of a loss that suspected one another over a stall of a second would serve nobody.
        degraded=scaled(1.5, 1.5),
        # Four stalls of a busy host; then fencing, whose own time is the power controller's.
        corosync_token=scaled(0.8, 0.8),
        corosync_consensus=scaled(1.0, 1.0),
        cluster_monitor=scaled(1.0, 1.0),
        cluster_timeout=scaled(20.0, 20.0),
        fence_timeout=scaled(60.0, 60.0),
        fence_delay=scaled(2.0, 2.0),
        # A look at all that the cluster runs, which takes its controller milliseconds.
        fence_retry=30.0,
        quorum_device=scaled(3.0, 3.0),
        # Each is a client's start and a write to the disk.
        database_monitor=scaled(2.0, 2.0),
        # InnoDB's recovery reads its log: a few GB on a disk that others use as well.
        database_start=300.0,
        database_stop=50.0,
        # Twice what a part of the cluster takes to know that it was cut off, with a quorum device.
        database_alone=scaled(8.0, 8.0),
        # Each is a start of Python, a TLS handshake and a flush.
        messaging_monitor=scaled(5.0, 5.0),
        messaging_start=300.0,
        messaging_stop=50.0,
        # Each is curl and a TLS handshake, of a dozen services on hosts that have much else to do.
        service_monitor=scaled(5.0, 5.0),
        # An API loads in two seconds; in minutes on a host that starts everything else as well.
        service_start=300.0,
        service_stop=50.0,
        # Dead: two connects of at most `inter`. Frozen: two replies that stay out for `timeout`.
        check_inter=scaled(0.5, 0.25),
        # Sixteen APIs, three load balancers: once a second it is some 150 checks a second, each with a handshake.
        # Requests leave a dead or frozen backend by themselves, and have it checked at once (`observe layer4`).
        api_check_inter=scaled(3.0, 1.5),
        check_fastinter=scaled(0.25, 0.1),
        check_timeout=scaled(1.0, 1.0),
        check_fall=2,
        check_rise=1,
        # With TLS it is the API itself that answers, which a busy host makes wait. Connects to a host that has departed
        # are ended by the agents; whoever meets a frozen API goes to another one after this.
        connect_timeout=scaled(1.5, 1.5),
        client_timeout=scaled(30.0, 60.0),
        server_timeout=scaled(30.0, 60.0),
        queue_timeout=10.0,
        retries=3,
        retry_on="conn-failure empty-response response-timeout 500 502 503 504",
        shutdown_sessions=True,
        last_resort=True,
        # Galera takes keepalive up to suspect/3, and install between 2*keepalive and inactive.
        evs_keepalive=round(suspect / 5, 3),
        evs_suspect=suspect,
        evs_inactive=2 * suspect,
        evs_install=2 * suspect,
        # An idle connection to a dead peer ends after time + interval*probes: 6 s.
        tcp_keepalive_time=whole(3, 3),
        tcp_keepalive_interval=whole(1, 1),
        tcp_keepalive_probes=3,
        tcp_retries2=_retries2(10.0 * detect),
        # A connect that nothing answers fails after 3 s.
        tcp_syn_retries=1,
        tcp_syn_linear_timeouts=0,
        # Unacknowledged for so long: the peer's kernel is gone. Load does not keep a kernel from acknowledging.
        tcp_user_timeout=scaled(1.0, 1.0),
        # Erlang notices a silent node after 0.75 to 1.25 ticktimes.
        net_ticktime=scaled(6.0, 5.0),
        amqp_heartbeat=scaled(6.0, 6.0),
        # With a connect to a dead broker less than LISTENER_PATIENCE (rules).
        amqp_reconnect_delay=min(scaled(0.5, 0.25), 1.5),
        amqp_reply_retry=scaled(8.5, 30.0),  # as long as anybody waits for one
        rpc_response_timeout=scaled(8.5, 30.0),
        db_pool_recycle=280,
        db_max_retries=10,
        db_retry_interval=1.0,
        db_read_timeout=scaled(7.0, 10.0),
        db_connect_timeout=scaled(2.0, 2.0),
        memcache_socket_timeout=scaled(0.25, 0.25),
        memcache_dead_retry=30.0,
        # Each layer waits longer than the one below it may work: database, RPC, a service's request, a user's request.
        api_timeout=scaled(23.0, 45.0),
        token_timeout=scaled(7.5, 15.0),
        report_interval=5.0,
        service_down=20.0,
        agent_down=20.0,
        router_advert=whole(1, 1),  # VRRP version 2: whole seconds
        # As with Galera: a stall of a busy host must not look like death.
        sentinel_down=scaled(2.0, 1.5),
        # A failover of the database must not end it.
        service_lease=scaled(12.0, 12.0),
        database_check="agent",
        vip_quorum=True,
    )


def _retries2(seconds: float) -> int:
    """Retransmissions, doubling from 200 ms, that keep unacknowledged data alive for at least so long (tcp(7))."""
    return next(n for n in range(3, 16) if 0.2 * (2 ** (n + 1) - 1) >= seconds or n == 15)


def _peer(
    *,
    vrrp_advert: float,
    vip_lease: float,
    check_inter: float,
    check_fall: int,
    check_rise: int,
    check_timeout: float,
    client_server: float,
    queue_timeout: float,
    tcp_retries2: int = 15,
    db_pool_recycle: int,
    db_max_retries: int,
    service_down: float = 60.0,
    agent_down: float = 75.0,
    sentinel_down: float = 30.0,
    corosync_token: float = 3.65,
    database_check: str = "agent",
    vip_quorum: bool = False,
) -> Timers:
    """What the peers have in common: the defaults of Galera, Linux, RabbitMQ, oslo.messaging, oslo.cache, Sentinel,
    Pacemaker, Corosync (whose token of 3 s grows by 0.65 s for a third member) and the agent ocf:heartbeat:mysql. None
    of them has anything like `service_lease`: it is Pacemaker's failover in the HA guide."""
    return Timers(
        vrrp_advert=vrrp_advert,
        vip_lease=vip_lease,
        agent_heartbeat=vip_lease / 10,
        dead_host=0.0,
        degraded=vip_lease,
        corosync_token=corosync_token,
        corosync_consensus=round(1.2 * corosync_token, 3),
        cluster_monitor=10.0,
        cluster_timeout=20.0,
        fence_timeout=60.0,
        fence_delay=5.0,
        fence_retry=900.0,
        quorum_device=10.0,
        database_monitor=10.0,
        database_start=120.0,
        database_stop=60.0,
        database_alone=max(30.0, round(4.4 * corosync_token, 1)),
        messaging_monitor=10.0,
        messaging_start=120.0,
        messaging_stop=60.0,
        service_monitor=10.0,
        service_start=60.0,
        service_stop=60.0,
        check_inter=check_inter,
        api_check_inter=check_inter,
        check_fastinter=check_inter,  # HAProxy's default
        check_timeout=check_timeout,
        check_fall=check_fall,
        check_rise=check_rise,
        connect_timeout=10.0,
        client_timeout=client_server,
        server_timeout=client_server,
        queue_timeout=queue_timeout,
        retries=3,
        retry_on="",
        shutdown_sessions=False,
        last_resort=False,
        evs_keepalive=1.0,
        evs_suspect=5.0,
        evs_inactive=15.0,
        evs_install=7.5,
        tcp_keepalive_time=7200,
        tcp_keepalive_interval=75,
        tcp_keepalive_probes=9,
        tcp_retries2=tcp_retries2,
        tcp_syn_retries=6,
        tcp_syn_linear_timeouts=4,
        tcp_user_timeout=0.0,
        net_ticktime=60.0,
        amqp_heartbeat=60.0,
        amqp_reconnect_delay=1.0,
        amqp_reply_retry=60.0,
        rpc_response_timeout=60.0,
        db_pool_recycle=db_pool_recycle,
        db_max_retries=db_max_retries,
        db_retry_interval=10.0,
        db_read_timeout=0.0,
        db_connect_timeout=10.0,  # PyMySQL's default
        memcache_socket_timeout=1.0,
        memcache_dead_retry=300.0,
        api_timeout=0.0,
        token_timeout=0.0,
        report_interval=10.0,
        service_down=service_down,
        agent_down=agent_down,
        router_advert=2,
        sentinel_down=sentinel_down,
        service_lease=60.0,
        database_check=database_check,
        vip_quorum=vip_quorum,
    )


#: As shipped. Where a peer's mechanism is not ours, ours stays, under the peer's intervals:
#: kolla-ansible's ProxySQL takes 17 to 27 s to leave a dead database, here HAProxy follows the observers' writer;
#: the HA guide's Pacemaker moves a VIP after corosync's token of 10 s, here VRRP's three adverts take as long;
#: openstack-ansible sets no `timeout check` and no `timeout queue`: HAProxy then takes `inter` and `timeout connect`.
PEERS: Mapping[str, Timers] = {
    "kolla-22.2": _peer(
        vrrp_advert=1.0, vip_lease=2.5, check_inter=2.0, check_fall=5, check_rise=2, check_timeout=10.0,
        client_server=60.0, queue_timeout=60.0, db_pool_recycle=10, db_max_retries=-1, sentinel_down=5.0,
    ),
    "osa-33": _peer(
        vrrp_advert=1.0, vip_lease=2.5, check_inter=12.0, check_fall=3, check_rise=3, check_timeout=12.0,
        client_server=50.0, queue_timeout=10.0, tcp_retries2=8, db_pool_recycle=600, db_max_retries=10,
        service_down=120.0, agent_down=120.0, database_check="tcp",
    ),
    "ha-guide": _peer(
        vrrp_advert=10 / 3, vip_lease=6.2, check_inter=2.0, check_fall=5, check_rise=2, check_timeout=10.0,
        corosync_token=10.0, client_server=60.0, queue_timeout=60.0, db_pool_recycle=3600, db_max_retries=-1,
        vip_quorum=True,
    ),
}  # fmt: skip

NAMES = (*DETECT, *PEERS)


def profile(name: str, detect: float | None = None) -> Timers:
    """The timers of one profile. `detect` (seconds) scales our own. Raises KeyError: unknown, or a peer scaled."""
    if name in DETECT:
        return derive(DETECT[name] if detect is None else detect)
    if detect is not None:
        raise KeyError(name)
    return PEERS[name]
