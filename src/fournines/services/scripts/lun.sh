#!/bin/sh
# Managed by fournines.
# OCF resource agent ocf:fournines:lun: a disk that several hosts see, about to be checked and mounted on this one. Its
# start has the kernel forget what it read of the disk before another host wrote to it, and makes sure that it is the
# disk that is meant. There is nothing to watch or to stop: who uses the disk is said by whether it is mounted.
#
# OCF_RESKEY_lun  the LUN's name in the cloud file

: "${OCF_ROOT:=/usr/lib/ocf}"
. "$OCF_ROOT/lib/heartbeat/ocf-shellfuncs"

metadata() {
    cat <<'END'
<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="lun" version="1.0">
<version>1.0</version>
<longdesc lang="en">A disk that several hosts see: read anew before it is checked and mounted.</longdesc>
<shortdesc lang="en">A disk that moves</shortdesc>
<parameters>
<parameter name="lun" required="1"><longdesc lang="en">The name of the LUN in the cloud file</longdesc>
<shortdesc lang="en">LUN</shortdesc><content type="string"/></parameter>
</parameters>
<actions>
<action name="start" timeout="20s"/>
<action name="stop" timeout="20s"/>
<action name="monitor" timeout="20s" interval="0"/>
<action name="meta-data" timeout="5s"/>
<action name="validate-all" timeout="5s"/>
</actions>
</resource-agent>
END
}

start() {
    if ! said=$(/usr/lib/fournines/lun ready "$OCF_RESKEY_lun" 2>&1); then
        ocf_exit_reason "$said"
        return "$OCF_ERR_GENERIC"
    fi
    ha_pseudo_resource "fournines-lun-$OCF_RESKEY_lun" start
}

case "$1" in
    meta-data) metadata ;;
    start) start ;;
    stop | monitor) ha_pseudo_resource "fournines-lun-$OCF_RESKEY_lun" "$1" ;;
    validate-all) [ -n "$OCF_RESKEY_lun" ] || exit "$OCF_ERR_CONFIGURED" ;;
    *) exit "$OCF_ERR_UNIMPLEMENTED" ;;
esac
