# shellcheck shell=sh
# Makes a virtual environment from a lock file, once. Sourced by run.sh and tests/run.sh (POSIX sh).
# It talks on stderr only, since the output of what runs afterwards may go into a file.

# Debian keeps mosquitto in /usr/sbin, which people other than root do not have on their PATH.
PATH="$PATH:/usr/sbin"

# find_python: print the path of the newest Python that is 3.11 or later and can make environments.
# Each candidate is run, because a version manager's stand-in exists without the Python behind it. The real path has
# the version in its name, so an upgrade of the system breaks the link instead of emptying the environment unseen.
find_python() {
    for candidate in python3.13 python3.12 python3.11 python3; do
        if "$candidate" -c '
import ensurepip, os, sys, venv
if sys.version_info < (3, 11):
    sys.exit(1)
print(os.path.realpath(sys.executable))
' 2>/dev/null; then
            return 0
        fi
    done
    return 1
}

# need_python: find_python, after asking Debian for it where we may; exit 2 with a sentence where there is none.
need_python() {
    if find_python; then
        return 0
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "Installing python3-venv ..." >&2
        apt_install python3-venv || true
        if find_python; then
            return 0
        fi
    fi
    echo "Calbot needs Python 3.11 or later with its venv module, and found none." >&2
    echo "On Debian and Ubuntu: sudo apt-get install python3-venv" >&2
    exit 2
}

# quietly COMMAND...: run it without its output, unless it fails.
quietly() {
    quiet_log=$(mktemp)
    if "$@" >"$quiet_log" 2>&1 </dev/null; then
        rm -f "$quiet_log"
    else
        quiet_code=$?
        cat "$quiet_log" >&2
        rm -f "$quiet_log"
        return "$quiet_code"
    fi
}

# apt_install PACKAGE: install it without recommendations; a service in it is not started by System V's rules.
apt_install() {
    if [ -z "${apt_updated-}" ]; then
        quietly apt-get update || return
        apt_updated=yes
    fi
    quietly env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y --no-install-recommends "$1"
}

# make_venv DIRECTORY LOCK SENTENCE [PROJECT]: make the environment, unless it was made from this lock in this place.
# With PROJECT, the project in that folder is installed too, as links to its source.
# SENTENCE is printed when there is something to do. Two starts at once wait for each other where flock exists.
make_venv() {
    # The place counts: an environment that was copied or moved still points to where it was made.
    venv_stamp="$1 $(cksum <"$2")"
    if venv_is_made "$1"; then
        return 0
    fi
    echo "$3" >&2
    (
        if command -v flock >/dev/null 2>&1; then
            exec 9>"$1.lock"
            flock 9
            if venv_is_made "$1"; then
                exit 0
            fi
        fi
        fill_venv "$1" "$2" "${4-}" 9>&-
    )
}

venv_is_made() {
    [ -x "$1/bin/python" ] && [ -f "$1/made-from" ] && [ "$(cat "$1/made-from")" = "$venv_stamp" ]
}

fill_venv() {
    venv_python=$(need_python) || exit
    rm -rf "$1"
    quietly "$venv_python" -m venv "$1" || exit
    quietly "$1/bin/python" -m pip install --disable-pip-version-check --require-hashes -r "$2" || exit
    if [ -n "$3" ]; then
        quietly "$1/bin/python" -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e "$3" || exit
    fi
    echo "$venv_stamp" >"$1/made-from"
}
