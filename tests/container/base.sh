#!/usr/bin/env bash
# Puts a stand-in for debian:trixie-slim at FILE, without a container registry, and keeps it for a week.
# Usage: base.sh FILE (root; the mirror is the first one in this machine's own apt sources)
set -euo pipefail

tar=$1
suite=trixie
arch=$(dpkg --print-architecture)

# CA certificates that were added to this machine go in, so that pip and curl trust in there what they trust here.
key=$({
    echo "v1 $suite $arch"
    cat /usr/local/share/ca-certificates/*.crt 2>/dev/null || true
    date +%G-%V
} | sha256sum | cut -c1-16)
if [[ -s $tar && $(cat "$tar.key" 2>/dev/null) == "$key" ]]; then
    exit 0
fi

mirror() { # deb822 first, then the one-line form
    awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null | grep . ||
        awk '$1=="deb"{for(i=2;i<=NF;i++) if($i ~ /^http/){print $i; exit}}' /etc/apt/sources.list
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/docker-clean" <<'CLEAN'
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
Acquire::Languages "none"; Acquire::GzipIndexes "true";
CLEAN

# shellcheck disable=SC2016 # "$1" belongs to mmdebstrap's hooks
mmdebstrap --quiet --variant=minbase --mode=root --format=tar --architectures="$arch" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --customize-hook="cp '$work/docker-clean' \"\$1/etc/apt/apt.conf.d/docker-clean\"" \
    --customize-hook='mkdir -p "$1/usr/local/share/ca-certificates"; cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/" 2>/dev/null || :' \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/var/log/* "$1"/var/cache/debconf/*-old' \
    "$suite" "$tar.new" "deb $(mirror) $suite main"
mv "$tar.new" "$tar"
echo "$key" >"$tar.key"
