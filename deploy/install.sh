#!/bin/sh
# Installs Offbeat from this checkout as a systemd service, or removes it. Running it again upgrades or repairs.
set -eu
umask 022

# Where things go; packagers set others in the environment.
PREFIX=${OFFBEAT_PREFIX:-/opt/offbeat}
CONFIG_DIR=${OFFBEAT_CONFIG_DIR:-/etc/offbeat}
UNIT_DIR=${OFFBEAT_UNIT_DIR:-/etc/systemd/system}

usage() {
    cat <<TEXT
usage: deploy/install.sh [--uninstall]

Installs the program into $PREFIX, its settings into $CONFIG_DIR and its units into $UNIT_DIR, then starts it.
Settings that are there already stay as they are. --uninstall removes program and units; settings and data stay.
OFFBEAT_PREFIX, OFFBEAT_CONFIG_DIR and OFFBEAT_UNIT_DIR in the environment choose other places.
TEXT
}

refuse() {
    echo "install.sh: $1" >&2
    exit 1
}

with_systemd() {  # an image that is being built, or a container, has nobody to talk to
    if [ -d /run/systemd/system ]; then systemctl "$@"; fi
}

find_python() {
    for python in python3.13 python3.12 python3.11 python3; do
        if "$python" -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    refuse "Offbeat needs Python 3.11 or newer with its venv module (Debian: apt install python3 python3-venv)."
}

into_prefix() {
    "$PREFIX/bin/python" -m pip --disable-pip-version-check --quiet install "$@"
}

install_program() {
    if ! "$PREFIX/bin/python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        if [ -n "$(ls -A "$PREFIX" 2>/dev/null)" ] && [ ! -e "$PREFIX/pyvenv.cfg" ]; then
            refuse "$PREFIX holds something else; nothing was installed."
        fi
        python=$(find_python)
        "$python" -m venv --clear "$PREFIX"
    fi
    into_prefix -c constraints.txt hatchling
    into_prefix -c constraints.txt --no-build-isolation .
    # An older checkout may have left the same version number there: put this one in its place all the same.
    into_prefix --no-build-isolation --no-deps --force-reinstall .
    mkdir -p "$PREFIX/docs"
    cp docs/*.md "$PREFIX/docs/"
}

install_settings() {
    mkdir -p "$CONFIG_DIR"
    cp deploy/offbeat.toml "$CONFIG_DIR/offbeat.toml.sample"
    if [ ! -e "$CONFIG_DIR/offbeat.toml" ]; then cp deploy/offbeat.toml "$CONFIG_DIR/offbeat.toml"; fi
    # Settings that this version refuses must not stop a daemon that runs.
    "$PREFIX/bin/offbeat" check-config "$CONFIG_DIR/offbeat.toml"
}

install_units() {
    mkdir -p "$UNIT_DIR"
    for unit in offbeat.service offbeat.socket; do
        sed -e "s|/opt/offbeat|$PREFIX|g" -e "s|/etc/offbeat|$CONFIG_DIR|g" "deploy/$unit" > "$UNIT_DIR/$unit"
    done
    with_systemd daemon-reload
    with_systemd enable offbeat.socket offbeat.service
    with_systemd start offbeat.socket
    with_systemd restart offbeat.service
}

uninstall() {
    with_systemd disable --now offbeat.service offbeat.socket 2>/dev/null || true
    rm -f "$UNIT_DIR/offbeat.service" "$UNIT_DIR/offbeat.socket" "$CONFIG_DIR/offbeat.toml.sample"
    with_systemd daemon-reload
    if [ -e "$PREFIX/pyvenv.cfg" ]; then rm -rf "$PREFIX"; fi  # and nothing that is not ours
    echo "Offbeat is removed. Settings stay in $CONFIG_DIR, data in /var/lib/offbeat."
}

action=install
case "${1-}" in
    "") ;;
    --uninstall) action=uninstall ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
esac
if [ "$(id -u)" -ne 0 ]; then refuse "only root can install a service; run it with sudo."; fi
cd "$(dirname "$0")/.."

if [ "$action" = uninstall ]; then
    uninstall
else
    install_program
    install_settings
    install_units
    echo "Offbeat is installed. Is it well: systemctl status offbeat; what it hears: $PREFIX/bin/offbeat sources"
fi
