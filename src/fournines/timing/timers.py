"""Every timer of every daemon, derived from one number: how fast a failure must be noticed.

All values are seconds unless the name says otherwise. `timing.profiles` holds the named sets, `timing.rules` the
contradictions that are refused. What stands beside a field is its line in the reference of the cloud file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

#: Seconds of silence of the database writer's agent before another takes over, while its host still answers. Well
#: above a scheduling stall of an agent, well below the clients' patience.
WRITER_PATIENCE = 0.8

#: Attempts of an API to have a token validated, each of `token_timeout`.
TOKEN_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Timers:
    # VIP
    vrrp_advert: Annotated[float, "keepalived `advert_int`; a backup takes over after 3 adverts + skew"]
    vip_lease: Annotated[float, "how long a vote for the VIP's holder stands: cut off, it serves no longer than that"]
    agent_heartbeat: Annotated[float, "UDP between the hosts' guards"]
    dead_host: Annotated[
        float, "a host whose guard and kernel are both silent for so long is declared dead by the others; 0: never"
    ]
    degraded: Annotated[float, "what `vip_lease` and `dead_host` are while a voter is away: a stall is no second loss"]
    # Pacemaker and Corosync
    corosync_token: Annotated[float, "corosync `token`: a member that is silent for so long is suspected"]
    corosync_consensus: Annotated[float, "corosync `consensus`: to agree on who is left, after that"]
    cluster_monitor: Annotated[
        float, "interval of Pacemaker's monitor of HAProxy; an address's and a disk's is five times as long"
    ]
    cluster_timeout: Annotated[float, "Pacemaker's `timeout` of start, stop and monitor of a resource"]
    fence_timeout: Annotated[float, "`stonith-timeout`: a fencing that takes longer has failed, and is tried again"]
    fence_retry: Annotated[
        float,
        "`cluster-recheck-interval`: a host whose fencing failed ten times in a row is tried again so often; and a "
        "power controller that failed is asked again after so long",
    ]
    fence_delay: Annotated[
        float, "`priority-fencing-delay` and the step of `pcmk_delay_base`: of two hosts that would fence each other"
    ]
    quorum_device: Annotated[
        float,
        "the quorum device's `timeout`; a member that is silent for 1.2 of it has lost the witness, and the others "
        "wait for the witness's word for up to three of it (`sync_timeout`)",
    ]
    database_monitor: Annotated[float, "interval at which the cluster writes a row to the database that it runs"]
    database_start: Annotated[float, "how long that database may take to start, recovery after a crash included"]
    database_stop: Annotated[float, "how long it may take to stop; killed 10 s before, and after it its host is fenced"]
    database_alone: Annotated[
        float,
        "commits for which no replica of `database: replica` answers wait for so long; then the primary goes on alone, "
        "and no replica is promoted until one has everything again. 0: they wait until one answers, or is fenced",
    ]
    messaging_monitor: Annotated[
        float, "interval at which the cluster has the broker that it runs confirm a message and give it back"
    ]
    messaging_start: Annotated[float, "how long that broker may take to start, recovery after a crash included"]
    messaging_stop: Annotated[float, "how long it may take to stop; the same as of the database"]
    service_monitor: Annotated[
        float, "interval at which the cluster asks an API, or looks at a daemon, of a service that is `ha: passive`"
    ]
    service_start: Annotated[float, "how long such a service may take to start"]
    service_stop: Annotated[float, "how long it may take to stop; the same as of the database"]
    # Load balancer
    check_inter: Annotated[float, "HAProxy `inter`; also bounds the connect of a check"]
    api_check_inter: Annotated[float, "the same for the Python APIs behind Keystone, of which there are many"]
    check_fastinter: Annotated[float, "HAProxy `fastinter`, once a check has failed"]
    check_timeout: Annotated[float, "HAProxy `timeout check`, for the answer; never equal to `inter`"]
    check_fall: Annotated[int, "failed checks until a backend is down"]
    check_rise: Annotated[int, "good checks until it is up again"]
    connect_timeout: Annotated[float, "HAProxy `timeout connect`"]
    client_timeout: Annotated[float, "HAProxy `timeout client`"]
    server_timeout: Annotated[float, "HAProxy `timeout server`"]
    queue_timeout: Annotated[float, "HAProxy `timeout queue`"]
    retries: Annotated[int, "HAProxy `retries`, with redispatch"]
    retry_on: Annotated[str, "HAProxy `retry-on` of requests that may be repeated; empty: none"]
    shutdown_sessions: Annotated[bool, "cut the TCP sessions of a backend that is marked down"]
    last_resort: Annotated[bool, "when every backend of an API fails its check, try them all the same"]
    # Galera
    evs_keepalive: Annotated[float, "`evs.keepalive_period`"]
    evs_suspect: Annotated[float, "`evs.suspect_timeout`: a silent node is suspected"]
    evs_inactive: Annotated[float, "`evs.inactive_timeout`: a silent node is out"]
    evs_install: Annotated[float, "`evs.install_timeout`: to agree on a new view"]
    # Kernel
    tcp_keepalive_time: Annotated[int, "`net.ipv4.tcp_keepalive_time`"]
    tcp_keepalive_interval: Annotated[int, "`net.ipv4.tcp_keepalive_intvl`"]
    tcp_keepalive_probes: Annotated[int, "`net.ipv4.tcp_keepalive_probes`, a count"]
    tcp_retries2: Annotated[int, "`net.ipv4.tcp_retries2`, a count"]
    tcp_syn_retries: Annotated[int, "`net.ipv4.tcp_syn_retries`, a count"]
    tcp_syn_linear_timeouts: Annotated[int, "`net.ipv4.tcp_syn_linear_timeouts`, a count: of 1 s each, before those"]
    tcp_user_timeout: Annotated[float, "TCP_USER_TIMEOUT of connections inside the cloud; 0: the kernel's"]
    # Bus
    net_ticktime: Annotated[float, "Erlang: a silent broker is down after 0.75 to 1.25 of it"]
    amqp_heartbeat: Annotated[float, "oslo.messaging `heartbeat_timeout_threshold`"]
    amqp_reconnect_delay: Annotated[float, "oslo.messaging `kombu_reconnect_delay`"]
    amqp_reply_retry: Annotated[
        float,
        "oslo.messaging `kombu_missing_consumer_retry_timeout`: a reply is offered for so long to a caller that left",
    ]
    rpc_response_timeout: Annotated[float, "oslo.messaging `rpc_response_timeout`"]
    # Database clients
    db_pool_recycle: Annotated[int, "oslo.db `connection_recycle_time`"]
    db_max_retries: Annotated[int, "oslo.db `max_retries`, a count; -1: for ever"]
    db_retry_interval: Annotated[float, "oslo.db `retry_interval`"]
    db_read_timeout: Annotated[float, "PyMySQL `read_timeout`; 0: none"]
    db_connect_timeout: Annotated[float, "PyMySQL `connect_timeout`"]
    # Cache
    memcache_socket_timeout: Annotated[float, "oslo.cache `memcache_socket_timeout`"]
    memcache_dead_retry: Annotated[float, "oslo.cache `memcache_dead_retry`"]
    # Between services
    api_timeout: Annotated[float, "keystoneauth `timeout`: one service's request to another; 0: none"]
    token_timeout: Annotated[
        float, "keystonemiddleware `http_connect_timeout`: of each of three attempts to validate a token; 0: none"
    ]
    # Agents of services
    report_interval: Annotated[float, "Nova's and Neutron's `report_interval`"]
    service_down: Annotated[float, "Nova `service_down_time`"]
    agent_down: Annotated[float, "Neutron `agent_down_time`"]
    router_advert: Annotated[int, "Neutron `ha_vrrp_advert_int`; another host has the router after 3 adverts + skew"]
    # Of which one copy works at a time
    sentinel_down: Annotated[float, "Sentinel `down-after-milliseconds`: a silent Valkey is down"]
    service_lease: Annotated[float, "a service that runs on one host: another one takes over after its silence"]
    # Which mechanisms the profile uses; a peer's baseline switches off what the peer does not ship
    database_check: Annotated[str, "`agent`: Primary and Synced, one writer; `tcp`: the port is open"]
    vip_quorum: Annotated[bool, "the VIP is released on loss of quorum"]
