#!/bin/sh
# mmdebstrap's customize hook; $1 is the image's root. A host that boots from the image runs sshd and nothing else: what
# a service needs is enabled by whoever configures it, for Debian's packages start unconfigured daemons on every address.
set -eu
root=$1

rm -f "$root"/etc/rc[0-6S].d/[SK]*    # systemd makes units of these
mkdir -p "$root/etc/systemd/system-preset"
printf 'enable ssh.service\ndisable *\n' > "$root/etc/systemd/system-preset/00-lab.preset"
systemctl --root="$root" --quiet preset-all
systemctl --root="$root" --quiet mask systemd-logind.service getty.target console-getty.service apt-daily.service \
    apt-daily-upgrade.service sshd-keygen.service dev-hugepages.mount
ln -sf multi-user.target "$root/usr/lib/systemd/system/default.target"

mkdir -p "$root/etc/systemd/journald.conf.d" "$root/etc/ssh/sshd_config.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nForwardToConsole=no\n' \
    > "$root/etc/systemd/journald.conf.d/lab.conf"
printf 'PermitRootLogin prohibit-password\nPasswordAuthentication no\nHostKey /etc/ssh/ssh_host_ed25519_key\n%s\n' \
    'UseDNS no' > "$root/etc/ssh/sshd_config.d/lab.conf"
printf '127.0.0.1 localhost\n' > "$root/etc/hosts"

# Each host has its own of these, and none has a way out to a mirror.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/machine-id" "$root/etc/hostname" "$root/etc/resolv.conf" \
    "$root/etc/apt/sources.list" "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/var/log/*.log
rm -rf "$root"/var/lib/mysql/* "$root"/var/lib/rabbitmq/mnesia

# /usr is not newer than what was made from it: nothing to catch up with at the first boot.
touch "$root/etc/.updated" "$root/var/.updated"
