#!/usr/bin/env bash
# Sets up a fresh machine and passes every test. The second time it only tests.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# shellcheck source=scripts/venv.sh
. scripts/venv.sh

usage() {
    cat >&2 <<'USAGE'
Usage: tests/run.sh [STAGE] [-- PYTEST ARGUMENTS]
  default   formatting, lint, types, and every test that is not slow
  patience  the tests that wait: hysteresis, outages, a worker that stands still
  kill      kills the process at random moments and looks for what was lost or doubled
  container builds the image and runs it as Home Assistant does (as root it installs Debian's docker.io and mmdebstrap)
  homeassistant  a real Home Assistant, newest and oldest (as root on Debian it builds them: 3 GB, three minutes)
  bench     the measurements, in their quick form
USAGE
    exit 2
}

# --- the environment -------------------------------------------------------------------------------------------

set_up() {
    make_venv "$root/.venv-tests" "$root/requirements-dev.lock" "Setting up the tests' environment (once, about a minute) ..." "$root"
    PATH="$root/.venv-tests/bin:$PATH"
    export PYTHONPATH="$root" # what a test starts elsewhere finds the same code
    install_tools
    name_missing_tools
}

# TOOLS: the command that a test needs, and Debian's package for it.
TOOLS=("mosquitto mosquitto" "mosquitto_sub mosquitto-clients" "chromium chromium" "tmux tmux" "systemd-analyze systemd")

has() {
    case $1 in
        chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
        *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

install_tools() {
    local tool command package
    if [[ $(id -u) != 0 ]] || ! command -v apt-get >/dev/null 2>&1; then
        return 0
    fi
    for tool in "${TOOLS[@]}"; do
        read -r command package <<<"$tool"
        if has "$command"; then
            continue
        fi
        echo "Installing $package ..." >&2
        if ! apt_install "$package"; then
            echo "$package could not be installed." >&2
        elif [[ $package == mosquitto && -d /run/systemd/system ]]; then
            # The tests start their own; the service that came with the package is not wanted.
            systemctl disable --now --quiet mosquitto.service || true
        fi
    done
}

name_missing_tools() {
    local tool command package missing=()
    for tool in "${TOOLS[@]}"; do
        read -r command package <<<"$tool"
        has "$command" || missing+=("$package")
    done
    if ((${#missing[@]})); then
        local IFS=' '
        echo "${#missing[@]} tools missing, their tests are skipped: ${missing[*]}"
    fi
}

# --- the stages ------------------------------------------------------------------------------------------------

failed=()

# step NAME COMMAND...: announce it, run it, remember whether it failed; the later steps still say what they see.
step() {
    local name=$1
    shift
    echo "== $name"
    "$@" || failed+=("$name")
}

default() {
    step "ruff format" ruff format --check --quiet .
    step "ruff check" ruff check --quiet .
    step "mypy" mypy
    # Three at once, each file whole in one of them: many wait, so that they keep two cores busy.
    # In the order of their folders, or the few slow ones come last and the others wait for them.
    step "pytest" python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not slow and not kill and not container and not homeassistant" "$@"
}

patience() {
    # They wait more than they work, so several wait at once.
    step "pytest, patience" python -m pytest -n 4 -m slow "$@"
}

kill_stage() {
    step "pytest, kill" python -m pytest -m kill "$@"
}

container() {
    local cache=${CALBOT_CI:-/var/cache/calbot-ci}
    mkdir -p "$cache"
    make_venv "$cache/linters" "$root/tests/container/linters.lock" "Setting up hadolint and shellcheck (once) ..."
    export CALBOT_LINTERS="$cache/linters/bin"
    step "pytest, container" python -m pytest -m container "$@"
}

homeassistant() {
    local versions=${CALBOT_HOMEASSISTANT:-2026.11.0 2026.4.4}
    # shellcheck disable=SC2086  # versions are words
    tests/homeassistant/rig/make.sh "${XDG_CACHE_HOME:-/var/cache}/calbot-tests/homeassistant" $versions
    step "pytest, homeassistant" python -m pytest -m homeassistant "$@"
}

bench() {
    step "bench" python -m bench --quick
}

stage=default
if (($#)) && [[ $1 != -- ]]; then
    stage=$1
    shift
fi
if (($#)); then
    [[ $1 == -- ]] || usage
    shift
fi
case $stage in
    default) run=default ;;
    patience) run=patience ;;
    kill) run=kill_stage ;;
    container)
        run=container
        TOOLS+=("dockerd docker.io" "tini tini" "mmdebstrap mmdebstrap" "nsenter util-linux" "ip iproute2")
        TOOLS+=("apparmor_parser apparmor")
        ;;
    homeassistant)
        run=homeassistant
        TOOLS+=("debootstrap debootstrap" "unshare util-linux")
        ;;
    bench) run=bench ;;
    *) usage ;;
esac

set_up
"$run" "$@"

if ((${#failed[@]})); then
    echo "Failed: $(printf '%s, ' "${failed[@]}" | sed 's/, $//')"
    exit 1
fi
