#!/bin/sh
# Managed by fournines.
# OCF resource agent ocf:fournines:service: an API or a daemon of which one host's copy works, by its systemd unit.
#
# An API is well if it answers what its load balancers ask it. A daemon has no question to be asked: it is well if it
# runs. Neither is if all its processes are stopped, or frozen.
#
# OCF_RESKEY_port      of an API, on the address that this host's own name stands for; empty for a daemon
# OCF_RESKEY_check     the path that it answers with 2xx
# OCF_RESKEY_cafile    what its certificate is checked against; empty where it has none
# OCF_RESKEY_patience  seconds in which it must have answered

NAME=service WHAT="A service of which one host's copy works"
: "${OCF_RESKEY_unit:=}" "${OCF_RESKEY_port:=}" "${OCF_RESKEY_check:=/}" "${OCF_RESKEY_cafile:=}"
: "${OCF_RESKEY_patience:=10}"
# Seconds in which it must answer to be drained before it is stopped.
DRAINED=3

parameters() {
    parameter port "" "Port of an API; empty for a daemon"
    parameter check / "The path that it answers"
    parameter cafile "" "What its certificate is checked against"
    parameter patience "$OCF_RESKEY_patience" "Seconds in which it must have answered"
}

ready() {
    systemctl cat "$OCF_RESKEY_unit" > /dev/null 2>&1 && return 0
    ocf_exit_reason "$OCF_RESKEY_unit is not on this host"
    return 1
}

made() {
    :
}

stopped() {
    found=""
    group=/sys/fs/cgroup$(systemctl show -P ControlGroup "$OCF_RESKEY_unit")
    [ -e "$group/cgroup.procs" ] || group=/sys/fs/cgroup/unified${group#/sys/fs/cgroup}
    grep -qs "frozen 1" "$group/cgroup.events" && return 0
    for pid in $(cat "$group/cgroup.procs" 2> /dev/null); do
        case "$(sed 's/.*) //' "/proc/$pid/stat" 2> /dev/null)" in
            "T "* | "") ;;
            *) return 1 ;;
        esac
        found=1
    done
    [ -n "$found" ]
}

# SECONDS: by the status alone; uWSGI ends a TLS connection without saying so, which curl takes for an error.
answers() {
    set -- "$1" "http${OCF_RESKEY_cafile:+s}://$(uname -n):$OCF_RESKEY_port$OCF_RESKEY_check"
    status=$(curl -s -m "$1" ${OCF_RESKEY_cafile:+--cacert "$OCF_RESKEY_cafile"} -o /dev/null -w '%{http_code}' "$2")
    case "$status" in
        2??) return 0 ;;
        000) echo "it has not answered $2 within $1 s" ;;
        *) echo "it answers $2 with $status" ;;
    esac
    return 1
}

works() {
    if stopped; then
        echo "all its processes are stopped"
        return 1
    fi
    [ -z "$OCF_RESKEY_port" ] || answers "$1"
}

well() {
    works "$OCF_RESKEY_patience"
}

# What does not answer has no request to finish, and does not end by itself when it is told to.
leave() {
    [ "$(systemctl show -P ActiveState "$OCF_RESKEY_unit")" = active ] || return 0
    works "$DRAINED" > /dev/null || systemctl kill --kill-whom=all -s KILL "$OCF_RESKEY_unit"
}

. /usr/lib/fournines/clustered-unit.sh
