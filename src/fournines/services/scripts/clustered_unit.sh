# Managed by fournines.
# What the OCF agents of ours have in common that run a systemd unit on one host at a time. An agent sets, and then
# sources this file with its own arguments:
#
# NAME, WHAT          the agent's name; what it runs, for people
# OCF_RESKEY_*        defaults of its parameters, of which `unit` is one: nobody else starts that
# parameters          prints the description of those that only this agent has
# ready               what must be so before the unit starts; fails with a reason
# made                makes what `well` needs; fails while the unit does not answer
# well                it works; prints why not
# leave               what comes before the unit is stopped

: "${OCF_ROOT:=/usr/lib/ocf}"
. "$OCF_ROOT/lib/heartbeat/ocf-shellfuncs"

# NAME DEFAULT DESCRIPTION: of one parameter.
parameter() {
    cat <<END
<parameter name="$1" required="0"><longdesc lang="en">$3</longdesc>
<shortdesc lang="en">$3</shortdesc><content type="string" default="$2"/></parameter>
END
}

metadata() {
    cat <<END
<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="$NAME" version="1.0">
<version>1.0</version>
<longdesc lang="en">$WHAT, by its systemd unit. Its monitor asks whether it works.</longdesc>
<shortdesc lang="en">$WHAT</shortdesc>
<parameters>
$(parameter unit "$OCF_RESKEY_unit" "The systemd unit")
$(parameters)
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

# Once nothing is on its way: systemd may be starting again what died, or somebody the unit, by hand or for a new
# configuration. One that ends again and again does not stay up.
settled() {
    before=$(systemctl show -P NRestarts "$OCF_RESKEY_unit")
    while :; do
        active=$(systemctl show -P ActiveState "$OCF_RESKEY_unit")
        job=$(systemctl show -P Job "$OCF_RESKEY_unit")
        case "$active" in
            activating | deactivating | reloading) ;;
            *) [ -n "$job" ] || break ;;
        esac
        restarts=$(systemctl show -P NRestarts "$OCF_RESKEY_unit")
        [ $((${restarts:-0} - ${before:-0})) -lt 3 ] || break
        sleep 0.2
    done
    echo "$active"
}

monitor() {
    [ "$(settled)" = active ] || return "$OCF_NOT_RUNNING"
    said=$(well) && return "$OCF_SUCCESS"
    ocf_exit_reason "$said"
    return "$OCF_ERR_GENERIC"
}

start() {
    ready || return "$OCF_ERR_INSTALLED"
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
    leave
    # Killed by systemd when it does not stop in time.
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
