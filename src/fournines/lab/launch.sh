#!/bin/sh
# Becomes systemd-nspawn, in mount and network namespaces of its own (unshare --mount --net sh launch.sh …): whatever is
# mounted or plugged in here ends with the last process, so a crash at any moment leaves nothing on the machine.
# $1 cgroup  $2 image's root  $3 directory of the host  $4 machine's name
# $5 group of the cpu controller, if cgroup v1 has it
# Says "ready PID", then waits for a line: the caller plugs the network in meanwhile. End of file: the caller died.
set -eu
echo $$ > "$1/cgroup.procs"
[ $# -lt 5 ] || echo $$ > "$5/cgroup.procs"
cd "$3"
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
mount -t overlay -o "lowerdir=$2,upperdir=upper,workdir=work" overlay root
echo "ready $$"
read -r _
# cgroup v2 alone and a writable /proc/sys/net, as on a host that boots by itself.
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
exec systemd-nspawn --quiet --register=no --keep-unit --boot --directory=root --machine="$4" --console=pipe \
    --network-namespace-path=/proc/self/ns/net --capability=CAP_NET_ADMIN,CAP_IPC_LOCK \
    --resolv-conf=off --timezone=off --link-journal=no < /dev/null > console.log 2>&1
