"""A run on a disk that is full stops in one line, and goes on once there is room."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from engine.runs.store import Store
from tests.support.chat_server import ChatServer, SqlPlayer
from tests.support.faults import ROOT_FOLDER, mounting

TASKS, AT_ONCE = 12, 3
SCRIPT = """
mount -t tmpfs -o size=$0 none "$1" && shift
"$@"; echo "ended: $?" >&2
mount -o remount,size=60m "$DISK"
"$@"; echo "ended: $?" >&2
cp -r "$DISK/run" "$KEPT"
"""


def test_explore_stops_in_one_line_and_goes_on(tmp_path: Path) -> None:
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    with ChatServer(SqlPlayer()) as server:
        flags = (
            f"--env bird --split train --limit {TASKS} --depth 6 --teacher player --base-url "
            f"{server.base_url} --concurrency {AT_ONCE} --output {disk}/run"
        )
        engine = [sys.executable, "-m", "engine", "explore", *flags.split()]
        done = subprocess.run(
            [*mounting(), "sh", "-c", SCRIPT, "240k", str(disk), *engine],
            cwd=ROOT_FOLDER,
            env={**os.environ, "DISK": str(disk), "KEPT": str(kept)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    said = done.stderr
    [error] = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "full" in error and "Traceback" not in said, said
    assert [line for line in said.splitlines() if "ended" in line] == ["ended: 2", "ended: 0"], said
    with Store.open(kept) as store:
        assert len(store.task_ids()) == TASKS and not store.failures()
    sent = Counter(str(request) for request in server.requests)
    assert sent.total() - len(sent) <= AT_ONCE, "paid twice"
