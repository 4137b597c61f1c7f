#!/usr/bin/env bash
# Install the Debian packages that this project uses and this machine lacks.
#   tools/system_packages.sh [PACKAGE ...]     all of them by default
# Root on Debian or Ubuntu installs them; anybody else gets the command to run.
set -euo pipefail

lacks() {
    case $1 in
        bubblewrap) ! command -v bwrap ;;
        chromium) ! command -v chromium && ! command -v chromium-browser && ! command -v google-chrome ;;
        docker.io) ! command -v dockerd && ! command -v docker ;;
        g++) ! command -v g++ ;;
        postgresql) ! compgen -G '/usr/lib/postgresql/*/bin/initdb' ;;
        python3-venv) ! "${PYTHON:-python3}" -c 'import venv, ensurepip' ;;
        *) echo "no such package here: $1" >&2; exit 2 ;;
    esac >/dev/null 2>&1
}

[ $# -gt 0 ] || set -- bubblewrap chromium docker.io g++ postgresql python3-venv
missing=()
for package in "$@"; do
    if lacks "$package"; then missing+=("$package"); fi
done
[ ${#missing[@]} -gt 0 ] || exit 0

command="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing system packages: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null && $command -q >/dev/null && exit 0
    echo "they could not be installed" >&2
fi
echo "This machine lacks ${missing[*]}; what needs them is skipped. On Debian or Ubuntu, run as root:" >&2
echo "    $command" >&2
case " ${missing[*]} " in *" python3-venv "*) exit 2 ;; esac
