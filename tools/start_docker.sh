#!/usr/bin/env bash
# Start the Docker daemon where none runs, as root. Fails, with the daemon's log, after a minute.
set -euo pipefail

answers() { timeout 10 docker info >/dev/null 2>&1; }

answers && exit 0

# A daemon that was killed leaves files with process numbers. Where such a number belongs to
# another process by now, Docker takes it for its own and waits for it in vain.
for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
    [ -e "$file" ] || continue
    case $(cat "/proc/$(tr -dc 0-9 <"$file")/comm" 2>/dev/null) in
        dockerd | containerd) ;;
        *) rm -f "$file" ;;
    esac
done

log=$(mktemp)
setsid dockerd >"$log" 2>&1 </dev/null &
for _ in $(seq 60); do
    if answers; then exit 0; fi
    sleep 1
done
cat "$log"
echo "dockerd does not start" >&2
exit 1
