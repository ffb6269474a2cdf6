#!/bin/sh
# enter.sh ROOTFS WORK COMMAND... - runs COMMAND inside ROOTFS, in a private mount namespace.
# This folder is /rig inside, WORK is /work. With RIG_OFFLINE=1 no name look-up leaves the machine.
# Every step is an exec: the pid of this script is the pid of COMMAND.
scripts=$(cd -- "$(dirname -- "$0")" && pwd)
# shellcheck disable=SC2016  # the inner shell expands it
exec unshare --mount --propagation private -- /bin/sh -c '
scripts=$1 root=$2 work=$3
shift 3
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mkdir -p "$root/rig" "$root/work"
mount --bind "$scripts" "$root/rig"
mount --bind "$work" "$root/work"
if [ -n "$RIG_OFFLINE" ]; then mount --bind "$scripts/resolv.offline" "$root/etc/resolv.conf"; fi
exec chroot "$root" /usr/bin/env -i ${RIG_OFFLINE:+RIG_OFFLINE=1} HOME=/root LANG=C.UTF-8 \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_CERT=/etc/ssl/certs/host-ca.crt SSL_CERT_FILE=/etc/ssl/certs/host-ca.crt "$@"
' sh "$scripts" "$@"
