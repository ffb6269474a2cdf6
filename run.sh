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

if [ "${CALBOT_IMAGE-}" = 1 ]; then
    # In the container everything is installed already.
    cd "$root"
    start python3 -m addon "$@"
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
start "$root/.venv/bin/python" -m addon "$@"
