"""Every timer of every daemon, derived from one number: how fast a failure must be noticed.

All values are seconds unless the name says otherwise. `timing.profiles` holds the named sets, `timing.rules` the
contradictions that are refused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    # VIP
    vrrp_advert: float  # keepalived advert_int; a backup takes over after 3 adverts + skew
    vip_lease: float  # a holder that has not heard a majority of agents for so long gives the VIP up
    agent_heartbeat: float  # UDP between health agents
    # Load balancer
    check_inter: float
    check_fastinter: float
    check_timeout: float  # HAProxy `timeout check`; never equal to inter: load alone must not take a backend out
    check_fall: int
    check_rise: int
    connect_timeout: float
    client_timeout: float
    server_timeout: float
    queue_timeout: float
    retries: int
    retry_on: str  # HAProxy `retry-on` for idempotent requests, "" for none
    shutdown_sessions: bool  # `on-marked-down shutdown-sessions`
    # Galera
    evs_keepalive: float
    evs_suspect: float
    evs_inactive: float
    evs_install: float
    # Kernel
    tcp_keepalive_time: int
    tcp_keepalive_interval: int
    tcp_keepalive_probes: int
    tcp_retries2: int
    tcp_syn_retries: int
    tcp_user_timeout: float
    # Bus
    net_ticktime: float
    amqp_heartbeat: float
    amqp_reconnect_delay: float
    rpc_response_timeout: float
    # Database clients
    db_pool_recycle: int
    db_max_retries: int  # -1: for ever
    db_retry_interval: float
    db_read_timeout: float
    db_connect_timeout: float
    # Cache
    memcache_socket_timeout: float
    memcache_dead_retry: float
    # Agents of services
    report_interval: float
    service_down: float
    agent_down: float
    # Which mechanisms the profile uses; a peer's baseline switches off what the peer does not ship
    database_check: str  # "agent" (Primary and Synced, one writer) | "tcp"
    vip_quorum: bool  # the VIP is given up on loss of quorum
