#!/usr/bin/env bash
# make.sh FOLDER VERSION... - makes a Debian root folder with Python 3.14 and these Home Assistant Cores in FOLDER.
# Root, Debian; about two and a half minutes and 3 GB for two versions. What is there already is kept.
set -euo pipefail
scripts=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
folder=$1
shift
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9
log="$folder/build.log"
trap 'code=$?; if ((code)); then tail -n 40 "$log" >&2; fi' EXIT

# Debian testing has the Python that Home Assistant wants. Its name is unknown to older debootstraps: sid's script will do.
mirror=$(awk '$1 == "URIs:" { print $2; exit } $1 == "deb" { print $2; exit }' \
    /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)
packages=ca-certificates,python3,python3-venv,python3.14-dev,gcc,g++,libc6-dev,make,pkg-config
packages+=,libffi-dev,libssl-dev,libturbojpeg0,tzdata,procps,iproute2
if [[ ! -e $folder/rootfs/made ]]; then
    echo "Building a Debian with Python 3.14 in $folder ..." >&2
    rm -rf "$folder/rootfs"
    debootstrap --variant=minbase --include="$packages" forky "$folder/rootfs" "$mirror" \
        /usr/share/debootstrap/scripts/sid >"$log" 2>&1 9>&-
    chroot "$folder/rootfs" apt-get clean
    touch "$folder/rootfs/made"
fi
cp -L /etc/resolv.conf "$folder/rootfs/etc/resolv.conf"
cp /etc/ssl/certs/ca-certificates.crt "$folder/rootfs/etc/ssl/certs/host-ca.crt"

stamp=$(cat "$scripts/install.sh" "$scripts/requirements.py" "$scripts/integrations.txt" | cksum)
for version; do
    made="$folder/rootfs/core-$version/made-from"
    if [[ -f $made && $(<"$made") == "$stamp" ]]; then
        continue
    fi
    echo "Installing Home Assistant $version ..." >&2
    rm -rf "$folder/rootfs/core-$version"
    "$scripts/enter.sh" "$folder/rootfs" "$folder" sh /rig/install.sh "$version" "/core-$version" >"$log" 2>&1 9>&-
    echo "$stamp" >"$made"
done
rm -rf "$folder/rootfs/root/.cache"
