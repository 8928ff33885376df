#!/bin/sh
# Runs systemd-nspawn, in mount and network namespaces of its own (unshare --mount --net sh launch.sh …): whatever is
# mounted or plugged in here ends with the last process, so a crash at any moment leaves nothing on the machine.
# $1 cgroup  $2 image's root  $3 directory of the host  $4 machine's name
# $5 groups of cgroup v1's controllers, "" where it has none  $6… files of disks, each before its device in the host
# Says "ready PID", then waits for a line: the caller plugs the network in meanwhile. End of file: the caller died.
set -eu
echo $$ > "$1/cgroup.procs"
for share in $5; do
    echo $$ > "$share/cgroup.procs"
done
cd "$3"
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
mount -t overlay -o "lowerdir=$2,upperdir=upper,workdir=work" overlay root
group=$1 name=$4
shift 5
# A loop device over each disk: held open by this shell, and gone with the last process or mount of the host that has it.
# The host makes the node itself, early in its boot. A bind mount of it would be unmounted by the cluster: its agent for
# file systems takes every mount whose path has the device's name in it for one of that device.
nodes=root/etc/tmpfiles.d/fournines-luns.conf
held=3
rm -f "$nodes"
for word in "$@"; do
    case "$word" in
        /dev/*)
            mkdir -p "${nodes%/*}"
            echo "b $word 0600 root root - $(cat "/sys/block/${loop#/dev/}/dev")" >> "$nodes"
            ;;
        *)
            loop=$(losetup --find --show --direct-io=on "$word")
            eval "exec $held<\"$loop\""
            losetup --detach "$loop"
            held=$((held + 1))
            ;;
    esac
done
echo "ready $$"
read -r _
# This shell stays, beside the groups that nspawn makes of the host's, and starts the host again when it reboots.
mkdir -p "$group/keeper"
echo $$ > "$group/keeper/cgroup.procs"
# cgroup v2 alone and a writable /proc/sys/net, as on a host that boots by itself.
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
while :; do
    status=0
    sh -c 'echo $$ > "$0/cgroup.procs"; exec "$@"' "$group" systemd-nspawn --quiet --register=no --keep-unit --boot \
        --directory=root --machine="$name" --console=pipe --network-namespace-path=/proc/self/ns/net \
        --capability=CAP_NET_ADMIN,CAP_IPC_LOCK --resolv-conf=off --timezone=off --link-journal=no \
        < /dev/null > console.log 2>&1 || status=$?
    # systemd-nspawn(1): 133 asks whoever runs it to boot the host anew.
    [ "$status" = 133 ] || exit "$status"
    # The network namespace outlives the boot: what the host's programs have put into it goes, as memory does.
    nft flush ruleset || true
done
