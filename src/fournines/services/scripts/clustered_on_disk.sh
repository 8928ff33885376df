# Managed by fournines.
# What the OCF agents of ours have in common that run a systemd unit on a disk that moves. An agent sets what
# clustered-unit.sh asks for, but for `parameters`, `ready` and `leave`, and
#
# owned               prints what belongs to OCF_RESKEY_user if anything below OCF_RESKEY_datadir does
#
# OCF_RESKEY_datadir  where its data is, on a disk that is mounted before it starts
# OCF_RESKEY_user     whose data that is

parameters() {
    parameter datadir "$OCF_RESKEY_datadir" "Where its data is"
    parameter user "$OCF_RESKEY_user" "Whose data that is"
}

ready() {
    if ! mountpoint -q "$OCF_RESKEY_datadir"; then
        ocf_exit_reason "nothing is mounted at $OCF_RESKEY_datadir"
        return 1
    fi
    # The same user has another number on a host that was installed in another order.
    [ "$(stat -c %U "$(owned)")" = "$OCF_RESKEY_user" ] || chown -R "$OCF_RESKEY_user": "$OCF_RESKEY_datadir"
}

# One that is killed has crashed: the next start recovers.
leave() {
    :
}

. /usr/lib/fournines/clustered-unit.sh
