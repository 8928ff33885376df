#!/bin/sh
# mmdebstrap's customize hook for the image of virtual machines, after customize.sh; $1 is the image's root. Makes the
# initial RAM disk: with what a virtual machine's devices need and no more, and a script that lays the host's own disk
# (/dev/vdb) over the image (/dev/vda), as a container's layer is laid over it.
set -eu
root=$1
etc=$root/etc/initramfs-tools

mkdir -p "$etc/conf.d" "$etc/scripts/local-bottom"
printf 'MODULES=list\nCOMPRESS=zstd\n' > "$etc/conf.d/fournines"
printf '%s\n' virtio_pci virtio_blk virtio_net virtio_rng ext4 overlay > "$etc/modules"
cat > "$etc/scripts/local-bottom/layer" << 'EOF'
#!/bin/sh
[ "$1" != prereqs ] || exit 0
. /scripts/functions
mkdir -p /run/image /run/layer
mount -n -o move "$rootmnt" /run/image || panic "the image cannot be moved away"
mount -n -t ext4 /dev/vdb /run/layer || panic "the host's own disk cannot be mounted"
mount -n -t overlay -o lowerdir=/run/image,upperdir=/run/layer/upper,workdir=/run/layer/work overlay "$rootmnt" ||
    panic "the host's own disk cannot be laid over the image"
EOF
chmod 755 "$etc/scripts/local-bottom/layer"
chroot "$root" update-initramfs -u -k all

# Its devices are there when the first unit starts: nothing has to wait for udev to settle.
systemctl --root="$root" --quiet mask systemd-udev-settle.service getty@.service serial-getty@.service
