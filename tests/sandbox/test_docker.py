"""What a program in a container can and cannot do, and that nothing of it stays behind."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sandbox import QueryLimits, SandboxError
from sandbox.docker import daemon
from sandbox.docker.backend import Docker
from sandbox.docker.channel import DockerChannel
from sandbox.owner import LABEL, owner
from sandbox.program import Program
from sandbox.protocol import Quota
from sandbox.sql.programs import query_program
from tests.support.docker_relay import Relay
from tests.support.parts import missing

EVALUATE = """
import json, os, sys
for line in sys.stdin:
    try:
        answer = eval(line)
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps(answer), flush=True)
"""
ECHO = """
import os
while data := os.read(0, 65536):
    while data:
        data = data[os.write(1, data):]
"""
OPEN_MANY = """
import sys, time
from sandbox.docker.backend import Docker
from sandbox.program import Program
program = Program("idle", ("-I", "-S", "-c", "import sys; sys.stdin.read()"))
channels = [Docker().start(program) for _ in range(3)]
print(*(channel.container for channel in channels), flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module", autouse=True)
def _daemon() -> None:
    if why := Docker().unavailable():
        missing("docker", why)


@pytest.fixture
def start() -> Iterator[Callable[..., DockerChannel]]:
    """Starts Python code in a container, which is removed at the test's end."""
    channels: list[DockerChannel] = []

    def begin(code: str, **options: Any) -> DockerChannel:
        channel = Docker().start(Program("test", ("-I", "-S", "-u", "-c", code), **options))
        channels.append(channel)
        return channel

    yield begin
    for channel in channels:
        channel.kill()


def ask(channel: DockerChannel, expression: str) -> Any:
    channel.send(expression.encode())
    return json.loads(channel.receive(10, 1 << 20))


def listed(label: str) -> set[str]:
    """The names of containers with that label, running or not."""
    with daemon.connected() as client:
        found = client.api.containers(all=True, filters={"label": label})
    return {container["Names"][0].lstrip("/") for container in found}


def containers(*names: str) -> set[str]:
    return listed(LABEL) & set(names)


def gone(*names: str, seconds: float = 2.0) -> bool:
    deadline = time.monotonic() + seconds
    while containers(*names):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_the_query_worker_answers_in_a_container(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    database = tmp_path / "shop.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE item (name)")
        connection.execute("INSERT INTO item VALUES ('pen')")
    connection.close()
    arguments = ("-I", "-S", "-B", "-c", query_program(), json.dumps(asdict(QueryLimits())))
    channel = Docker().start(Program("query worker", arguments, read_only=(tmp_path,)))
    try:
        assert "ready" in json.loads(channel.receive(20, 1 << 20))
        request = {"op": "query", "sql": "SELECT name FROM item", "max_rows": 5, "max_cell": 60}
        channel.send(json.dumps(request | {"database": str(database)}).encode())
        assert json.loads(channel.receive(10, 1 << 20))["rows"] == [["pen"]]
        assert channel.home == "" and channel.own_namespace
    finally:
        channel.kill()


def test_what_a_program_sees_and_may(start: Callable[..., DockerChannel]) -> None:
    channel = start(EVALUATE, quota=Quota(memory_bytes=128 << 20, pids=20))
    assert ask(channel, "os.getpid()") == 1
    assert ask(channel, "os.getresuid() + os.getresgid()") == [65534] * 6
    assert ask(channel, "dict(os.environ)") == {
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "HOME": "/work",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOSTNAME": "sandbox",
    }
    status = dict(
        line.split(":\t", 1) for line in ask(channel, "open('/proc/1/status').read()").splitlines()
    )
    assert {status[name].strip("0") for name in ("CapBnd", "CapPrm", "CapEff", "CapAmb")} == {""}
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert ask(channel, "os.listdir('/sys/class/net')") == ["lo"]
    for folder in ("/", "/usr/bin", "/node", "/etc"):
        assert "Read-only file system" in ask(channel, f"open('{folder}/x', 'w')")
    assert ask(channel, "[os.fork() or os._exit(0) for _ in range(30)]").startswith("Blocking")
    with daemon.connected() as client:
        config = client.api.inspect_container(channel.container)["HostConfig"]
    assert config["Memory"] == config["MemorySwap"] == 128 << 20, "swap is not bounded"
    assert config["AutoRemove"] and config["LogConfig"]["Type"] == "none"
    limits = "[__import__('resource').getrlimit(n) for n in (4, 7)]"  # core, open files
    assert ask(channel, limits) == [[0, 0], [4096, 4096]]


def test_nodes_files_are_writable_and_bounded(start: Callable[..., DockerChannel]) -> None:
    quota = Quota(memory_bytes=64 << 20, disk_bytes=32 << 20, inodes=100)
    channel = start(EVALUATE, quota=quota, branches=True)
    assert channel.home == "/node"
    assert ask(channel, "[os.mkdir('/node/' + n) for n in ('tmp', 'work')]") == [None, None]
    assert ask(channel, "open('/work/x', 'w').write('a')") == 1
    assert ask(channel, "open('/tmp/x', 'w').write('a')") == 1
    files = "[open(f'/tmp/{i}', 'wb').write(bytes(1 << 20)) for i in range(40)]"
    assert "No space left" in ask(channel, files)
    assert "No space left" in ask(channel, "[os.mkdir(f'/work/{i}') for i in range(200)]")


def test_a_source_in_the_nodes_own_folders_is_bound_elsewhere(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    script = tmp_path / "script.py"
    script.write_text("import os, sys\nos.mkdir('/node/tmp')\nprint(sys.argv)\n")
    program = Program("test", (str(script), "/tmp/other"), read_only=(tmp_path,), branches=True)
    channel = Docker().start(program)
    try:
        line = channel.receive(10, 1000)
    finally:
        channel.kill()
    inside = f"/readonly{script}" if tmp_path.is_relative_to("/tmp") else str(script)
    assert line.decode() == str([inside, "/tmp/other"])


def test_a_read_only_source_cannot_be_written(
    start: Callable[..., DockerChannel], tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    channel = start(EVALUATE, read_only=(tmp_path,))
    assert "Read-only" in ask(channel, f"open('{tmp_path}/x', 'w')")


def test_long_lines_cross_both_ways_at_once(start: Callable[..., DockerChannel]) -> None:
    channel = start(ECHO)  # who only sends, while it writes, waits for ever
    line = b"x" * (8 << 20)
    for _ in range(2):
        channel.send(line)
        assert channel.receive(20, 16 << 20) == line


def test_lines_that_do_not_come_or_do_not_end(start: Callable[..., DockerChannel]) -> None:
    channel = start("import sys\nprint('a\\nb')\nsys.stdin.readline()\nprint('x' * 10000, end='')")
    assert [channel.receive(10, 100) for _ in "ab"] == [b"a", b"b"]
    with pytest.raises(TimeoutError):
        channel.receive(0.05, 100)
    channel.send(b"")
    with pytest.raises(EOFError, match="too long"):
        channel.receive(10, 100)


def test_the_end_of_a_program_is_reported(start: Callable[..., DockerChannel]) -> None:
    channel = start("import sys\nprint('z' * 5000 + 'sorry', file=sys.stderr)\nsys.exit(3)")
    with pytest.raises(EOFError):
        channel.receive(10, 100)
    assert channel.ended() == 3
    assert channel.complaint() == ("z" * 5000 + "sorry")[-1999:]
    channel.kill()
    assert channel.ended() == 3
    with pytest.raises(OSError):
        channel.send(b"")


def test_too_much_memory_ends_the_container(start: Callable[..., DockerChannel]) -> None:
    channel = start(EVALUATE, quota=Quota(memory_bytes=32 << 20))
    channel.send(b"len(bytearray(1 << 28))")
    with pytest.raises(EOFError):
        channel.receive(20, 100)
    assert channel.ended() == 128 + signal.SIGKILL


def test_a_container_killed_from_outside(
    start: Callable[..., DockerChannel], monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = start(EVALUATE)
    with monkeypatch.context() as patience:
        patience.setattr("sandbox.docker.channel.END_SECONDS", 0.05)
        assert channel.ended() is None
    with daemon.connected() as client:
        client.api.kill(channel.container)
    with pytest.raises(EOFError):
        channel.receive(10, 100)
    assert channel.ended() == 128 + signal.SIGKILL
    channel.kill()
    channel.kill()
    assert not containers(channel.container)


def test_a_daemon_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Relay(tmp_path / "docker.sock")
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("DOCKER_HOST", relay.address)
        try:
            channel = Docker().start(Program("test", ("-I", "-S", "-c", EVALUATE)))
            assert ask(channel, "1") == 1
        finally:
            relay.stop()
        with pytest.raises(EOFError):
            channel.receive(10, 100)
        assert channel.ended() is None
        with pytest.raises(SandboxError, match="no Docker daemon runs"):
            Docker().start(Program("test", ("-c", "")))
        channel.kill()
        channel.kill()
    assert gone(channel.container), "it ends by itself, as its standard input is closed"


def test_an_interrupt_that_leaves_a_lock_taken_hangs_nothing() -> None:
    """It came between the taking of the pool's lock and its use; closing drains the pool."""
    with pytest.raises(KeyboardInterrupt), daemon.connected() as client:
        client.ping()
        pools = client.api.get_adapter("http+docker://").pools
        found = [pools.get(key) for key in pools.keys()]  # noqa: SIM118  (it cannot be iterated)
        for pool in found:
            pool.pool.mutex.acquire()
        assert found
        raise KeyboardInterrupt


def test_kill_waits_until_the_container_is_gone(start: Callable[..., DockerChannel]) -> None:
    channel = start("import time\nwhile True: time.sleep(9)")
    channel.kill()
    assert not containers(channel.container)
    assert channel.ended() == 128 + signal.SIGKILL


def test_nothing_outlives_a_killed_engine() -> None:
    engine = subprocess.Popen(
        [sys.executable, "-c", OPEN_MANY], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    with engine:
        assert engine.stdout is not None
        names = engine.stdout.readline().decode().split()
        assert containers(*names) == set(names) and len(names) == 3
        engine.kill()
    assert gone(*names)


def test_a_refused_start_leaves_nothing(tmp_path: Path) -> None:
    before = listed(f"{LABEL}={owner()}")
    with pytest.raises(SandboxError, match="emory"):
        Docker().start(Program("test", ("-c", ""), quota=Quota(memory_bytes=1 << 20)))
    with pytest.raises(SandboxError, match="No such file"):
        Docker().start(Program("test", ("-c", ""), read_only=(tmp_path / "nothing",)))
    with pytest.raises(SandboxError, match="proc"):  # made, and then not started
        Docker().start(Program("test", ("-c", ""), read_only=(Path("/proc/version"),)))
    tmp_path.chmod(0o700)
    with pytest.raises(SandboxError, match="chmod o\\+rx"):
        Docker().start(Program("test", ("-c", ""), read_only=(tmp_path,)))
    assert listed(f"{LABEL}={owner()}") == before


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("unix:///nonexistent/docker.sock", "no Docker daemon"),
        ("tcp://10.0.0.1:2375", "DOCKER_HOST"),
    ],
)
def test_without_a_daemon(host: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert why in Docker().unavailable()
    with pytest.raises(SandboxError, match=why):
        Docker().start(Program("test", ("-c", "")))
