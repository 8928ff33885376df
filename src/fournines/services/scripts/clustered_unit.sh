# Managed by fournines.
# What the OCF agents of ours have in common that run a systemd unit on a disk that moves. An agent sets, and then
# sources this file with its own arguments:
#
# NAME, WHAT          the agent's name; what it runs, for people
# OCF_RESKEY_*        defaults of its parameters
# owned               prints what belongs to OCF_RESKEY_user if anything below OCF_RESKEY_datadir does
# made                makes what `well` needs; fails while the server does not answer
# well                the server takes a write; prints why not
#
# OCF_RESKEY_unit     the unit, which nobody else starts
# OCF_RESKEY_datadir  where its data is, on a disk that is mounted before it starts
# OCF_RESKEY_user     whose data that is

: "${OCF_ROOT:=/usr/lib/ocf}"
. "$OCF_ROOT/lib/heartbeat/ocf-shellfuncs"

metadata() {
    cat <<END
<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="$NAME" version="1.0">
<version>1.0</version>
<longdesc lang="en">$WHAT, by its systemd unit. It is well if it takes a write.</longdesc>
<shortdesc lang="en">$WHAT</shortdesc>
<parameters>
<parameter name="unit" required="0"><longdesc lang="en">systemd unit</longdesc>
<shortdesc lang="en">Unit</shortdesc><content type="string" default="$OCF_RESKEY_unit"/></parameter>
<parameter name="datadir" required="0"><longdesc lang="en">Where its data is</longdesc>
<shortdesc lang="en">Data directory</shortdesc><content type="string" default="$OCF_RESKEY_datadir"/></parameter>
<parameter name="user" required="0"><longdesc lang="en">Whose data that is</longdesc>
<shortdesc lang="en">User</shortdesc><content type="string" default="$OCF_RESKEY_user"/></parameter>
</parameters>
<actions>
<action name="start" timeout="300s"/>
<action name="stop" timeout="50s"/>
<action name="monitor" timeout="20s" interval="2s"/>
<action name="meta-data" timeout="5s"/>
<action name="validate-all" timeout="5s"/>
</actions>
</resource-agent>
END
}

# Once nothing is on its way: somebody may restart the unit, by hand or for a new configuration.
settled() {
    while :; do
        active=$(systemctl show -P ActiveState "$OCF_RESKEY_unit")
        job=$(systemctl show -P Job "$OCF_RESKEY_unit")
        case "$active" in
            activating | deactivating | reloading) ;;
            *) [ -n "$job" ] || break ;;
        esac
        sleep 0.2
    done
    echo "$active"
}

monitor() {
    [ "$(settled)" = active ] || return "$OCF_NOT_RUNNING"
    said=$(well) && return "$OCF_SUCCESS"
    ocf_exit_reason "it takes no write: $said"
    return "$OCF_ERR_GENERIC"
}

start() {
    if ! mountpoint -q "$OCF_RESKEY_datadir"; then
        ocf_exit_reason "nothing is mounted at $OCF_RESKEY_datadir"
        return "$OCF_ERR_INSTALLED"
    fi
    # The same user has another number on a host that was installed in another order.
    [ "$(stat -c %U "$(owned)")" = "$OCF_RESKEY_user" ] || chown -R "$OCF_RESKEY_user": "$OCF_RESKEY_datadir"
    systemctl reset-failed "$OCF_RESKEY_unit" 2> /dev/null
    if ! systemctl start "$OCF_RESKEY_unit"; then
        ocf_exit_reason "it does not start: journalctl -u $OCF_RESKEY_unit says why"
        return "$OCF_ERR_GENERIC"
    fi
    # Until Pacemaker's own timeout ends it.
    until made > /dev/null && monitor; do
        [ "$(settled)" = active ] || return "$OCF_ERR_GENERIC"
        sleep 0.5
    done
}

stop() {
    # Killed by systemd when it does not stop in time: a crash, from which the next start recovers.
    systemctl stop "$OCF_RESKEY_unit"
    case "$(settled)" in
        inactive | failed) return "$OCF_SUCCESS" ;;
    esac
    ocf_exit_reason "it does not stop"
    return "$OCF_ERR_GENERIC"
}

case "$1" in
    meta-data) metadata ;;
    start) start ;;
    stop) stop ;;
    monitor) monitor ;;
    validate-all) systemctl cat "$OCF_RESKEY_unit" > /dev/null 2>&1 || exit "$OCF_ERR_INSTALLED" ;;
    *) exit "$OCF_ERR_UNIMPLEMENTED" ;;
esac
