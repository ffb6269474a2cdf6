#!/bin/sh
# Starts Calbot: `./run.sh demo` shows it with a pretended Google, `./run.sh` runs it with your own accounts,
# `./run.sh COMMAND` is the command line (`./run.sh --help`). The first start makes its own environment in .venv.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

# start COMMAND...: become it. A SIGTERM that comes before Python can take it waits until it can (coreutils 8.31).
start() {
    if env --block-signal=TERM true 2>/dev/null; then
        exec env --block-signal=TERM "$@"
    fi
    exec "$@"
}

# contained COMMAND...: become it in the container, as the user `calbot`, who may do nothing there but own the data.
contained() {
    data=${CALBOT_DATA:-/data}
    umask 077
    # SQLite's scratch files have no name; where the image is read-only there is no other place for them.
    export SQLITE_TMPDIR="$data"
    if [ "$(id -u)" != 0 ]; then
        start "$@" # the container was started as somebody, who has to own the data directory
    fi
    # The Supervisor leaves the options, passwords among them, to root alone, and so they stay: no copy is made and
    # nobody else may open them. We open them while we may and hand the open file on. A link is not followed, since
    # whoever once took Calbot over could have put it there.
    if [ -f "$data/options.json" ] && [ ! -L "$data/options.json" ]; then
        exec 3<"$data/options.json"
        export CALBOT_OPTIONS_FD=3
    fi
    # Everything else there is Calbot's, whoever restored or copied it.
    find "$data" -xdev ! -path "$data/options.json" ! -user calbot -exec chown -h calbot:calbot {} + ||
        echo "Calbot cannot take over every file in $data; it goes on with those it can." >&2
    export HOME="$data"
    start setpriv --reuid=calbot --regid=calbot --clear-groups --inh-caps=-all --ambient-caps=-all \
        --bounding-set=-all --no-new-privs -- "$@"
}

if [ "${CALBOT_IMAGE-}" = 1 ]; then
    # In the container everything is installed already.
    cd "$root"
    if [ "${1-}" = backup ]; then
        contained python3 -m addon.backup # what the Supervisor runs before a backup
    fi
    contained python3 -m addon "$@"
fi

# shellcheck source=scripts/venv.sh
. "$root/scripts/venv.sh"

lock=requirements.lock
if ! command -v mosquitto >/dev/null 2>&1; then
    lock=requirements-broker.lock # with a broker in Python
fi
make_venv "$root/.venv" "$root/$lock" "Setting up Calbot's environment (once, about a minute) ..."

# Wherever it is called from: one data directory, this code, and nothing from the folder one happens to stand in.
export CALBOT_DATA="${CALBOT_DATA:-$root/data}"
export PYTHONPATH="$root"
export PYTHONSAFEPATH=1

if [ "${1-}" = demo ]; then
    shift
    exec "$root/.venv/bin/python" -m tests.demo "$@"
fi
if [ "${1-}" = backup ]; then
    start "$root/.venv/bin/python" -m addon.backup
fi
start "$root/.venv/bin/python" -m addon "$@"
