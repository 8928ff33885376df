#!/bin/sh
# Managed by fournines.
# OCF resource agent ocf:fournines:haproxy-health: whether this host's HAProxy answers. Starts and stops nothing: HAProxy
# runs on every load balancer all the time, and systemd and the observer restart it. Where this fails, the VIPs leave.
#
# OCF_RESKEY_port   where it answers GET /alive, on the address that this host's own name stands for
# OCF_RESKEY_peers  names of the members; with any given, one beside this host must answer a ping as well

: "${OCF_ROOT:=/usr/lib/ocf}"
. "$OCF_ROOT/lib/heartbeat/ocf-shellfuncs"
state="${HA_RSCTMP}/${OCF_RESOURCE_INSTANCE:-haproxy-health}.state"

metadata() {
    cat <<'END'
<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="haproxy-health" version="1.0">
<version>1.0</version>
<longdesc lang="en">Whether the HAProxy of this host answers. Starts and stops nothing.</longdesc>
<shortdesc lang="en">Health of HAProxy</shortdesc>
<parameters>
<parameter name="port" required="1"><longdesc lang="en">Where HAProxy answers GET /alive</longdesc>
<shortdesc lang="en">Port</shortdesc><content type="integer"/></parameter>
<parameter name="peers" required="0"><longdesc lang="en">Names, one of which must answer a ping</longdesc>
<shortdesc lang="en">Names of the members</shortdesc><content type="string" default=""/></parameter>
</parameters>
<actions>
<action name="start" timeout="20s"/>
<action name="stop" timeout="20s"/>
<action name="monitor" timeout="20s" interval="1s"/>
<action name="meta-data" timeout="5s"/>
<action name="validate-all" timeout="5s"/>
</actions>
</resource-agent>
END
}

reaches_a_peer() {
    [ -n "$OCF_RESKEY_peers" ] || return 0
    for peer in $OCF_RESKEY_peers; do
        [ "$peer" = "$(uname -n)" ] && continue
        ping -q -c 1 -W 1 "$peer" > /dev/null 2>&1 && return 0
    done
    return 1
}

answers() {
    curl -fs -m 2 -o /dev/null "http://$(uname -n):$OCF_RESKEY_port/alive"
}

monitor() {
    [ -e "$state" ] || return "$OCF_NOT_RUNNING"
    if ! answers; then
        ocf_exit_reason "HAProxy does not answer /alive on port $OCF_RESKEY_port"
        return "$OCF_ERR_GENERIC"
    fi
    if ! reaches_a_peer; then
        ocf_exit_reason "no other member answers on the management network"
        return "$OCF_ERR_GENERIC"
    fi
    return "$OCF_SUCCESS"
}

case "$1" in
    meta-data) metadata ;;
    start)
        touch "$state"
        until monitor; do
            # Until Pacemaker's own timeout ends it: HAProxy may be starting.
            sleep 0.2
        done
        ;;
    stop) rm -f "$state" ;;
    monitor) monitor ;;
    validate-all) [ -n "$OCF_RESKEY_port" ] || exit "$OCF_ERR_CONFIGURED" ;;
    *) exit "$OCF_ERR_UNIMPLEMENTED" ;;
esac
