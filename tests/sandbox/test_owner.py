"""Who owns a sandbox, what is removed once the owner is gone, and how many may be open."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox import SandboxError
from sandbox.admission import Admission, Slot, admit, cgroup_bytes, machine
from sandbox.docker import daemon, image
from sandbox.docker.backend import Docker
from sandbox.owner import LABEL, alive, discard, make_scratch, owner, scratch_path
from sandbox.sweep import Swept, sweep
from tests.support.parts import missing


@pytest.fixture(scope="module")
def dead() -> str:
    """An owner that was."""
    code = "from sandbox.owner import owner; print(owner())"
    return subprocess.check_output([sys.executable, "-c", code], text=True).strip()


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


def test_an_owner_lives_as_long_as_its_process(dead: str) -> None:
    assert owner() == owner() and alive(owner())
    assert not alive(dead)


def test_a_pid_alone_is_no_owner() -> None:
    pid, started, namespace, boot = owner().split(".")
    assert not alive(f"{pid}.{int(started) + 1}.{namespace}.{boot}")
    assert not alive(f"{pid}.{started}.{namespace}.{'0' * len(boot)}")
    assert alive(f"1.1.{int(namespace) + 1}.{boot}"), "who cannot be seen may be alive"
    assert not alive("") and not alive("nonsense") and not alive(f"{owner()}\n")


def test_a_process_that_waits_to_be_reaped_is_gone() -> None:
    code = "from sandbox.owner import owner; print(owner(), flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        child_owner = child.stdout.readline().strip()
        assert alive(child_owner)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not alive(child_owner)


def test_scratch_folders_are_private_and_can_be_discarded(temp: Path) -> None:
    folder = scratch_path()
    make_scratch(folder)
    assert folder.parent == temp and folder.stat().st_mode & 0o777 == 0o700
    locked = folder / "a" / "b"
    locked.mkdir(parents=True)
    (locked / "file").write_text("x")
    (folder / "link").symlink_to("/etc")
    locked.chmod(0)
    assert discard(folder) and not folder.exists()
    assert discard(folder)
    assert Path("/etc/passwd").exists()


def test_a_sweep_removes_what_nobody_owns(temp: Path, dead: str, no_docker: None) -> None:
    mine = scratch_path()
    make_scratch(mine)
    (mine / "locked").mkdir(mode=0o500)
    (temp / f"treegraft-{dead}-abc_1").mkdir()
    (temp / f"treegraft-{dead}-link").symlink_to(mine)
    (temp / "treegraft-sandbox-other").mkdir()
    assert sweep() == Swept(folders=(temp / f"treegraft-{dead}-abc_1",))
    assert {path.name for path in temp.iterdir()} == {
        mine.name,
        f"treegraft-{dead}-link",
        "treegraft-sandbox-other",
    }
    assert (mine / "locked").stat().st_mode & 0o777 == 0o500, "a link led out of the temp folder"


def test_a_sweep_without_docker_is_cheap(temp: Path, no_docker: None) -> None:
    started = time.monotonic()
    assert sweep() == Swept()
    assert time.monotonic() - started < 0.1


@pytest.fixture
def labelled(dead: str) -> Iterator[dict[str, str]]:
    """Containers that were made and not started: a dead owner's, ours, and somebody else's."""
    if why := Docker().unavailable():
        missing("docker", why)
    labels = {"dead": {LABEL: dead}, "ours": {LABEL: owner()}, "other": {}}
    names = {key: f"test-{key}-{os.getpid()}" for key in labels}
    with daemon.connected() as client:
        tag = image.ensure(client, offline=True)
        for key, name in names.items():
            client.api.create_container(tag, ["python3"], name=name, labels=labels[key])
        yield names
        for found in client.api.containers(all=True, filters={"name": f"-{os.getpid()}$"}):
            client.api.remove_container(found["Id"], force=True)


def test_a_sweep_removes_containers_of_the_dead_only(temp: Path, labelled: dict[str, str]) -> None:
    swept = sweep()
    assert labelled["dead"] in swept.containers and not swept.trouble
    with daemon.connected() as client:
        left = {found["Names"][0][1:] for found in client.api.containers(all=True)}
    assert left & set(labelled.values()) == {labelled["ours"], labelled["other"]}


def test_sweeps_at_the_same_time_do_not_disturb_each_other(
    temp: Path, dead: str, labelled: dict[str, str]
) -> None:
    """Each meets containers that the daemon is already removing."""
    with daemon.connected() as client:
        tag = image.ensure(client, offline=True)
        for number in range(8):
            name = f"test-dead{number}-{os.getpid()}"
            client.api.create_container(tag, ["python3"], name=name, labels={LABEL: dead})
    with ThreadPoolExecutor(4) as pool:
        swept = [found.result() for found in [pool.submit(sweep) for _ in range(4)]]
    assert {found.trouble for found in swept} == {""}
    with daemon.connected() as client:
        assert not client.api.containers(all=True, filters={"label": f"{LABEL}={dead}"})


def test_two_hundred_at_once_wait_their_turn() -> None:
    line = Admission(capacity=100)
    full = threading.Event()
    most: list[int] = []

    def open_one() -> None:
        slot = line.admit(10, seconds=30)
        most.append(line.reserved)
        if most[-1] == 100:
            full.set()
        full.wait(30)
        slot.release()
        slot.release()

    threads = [threading.Thread(target=open_one) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 200 and max(most) == 100 and line.reserved == 0


def test_a_large_one_is_not_overtaken() -> None:
    line = Admission(capacity=100)
    first = line.admit(50, seconds=0)
    served: dict[str, Slot] = {}

    def wait(name: str, size: int) -> None:
        served[name] = line.admit(size, seconds=10)

    threads = []
    for name, size in (("large", 90), ("small", 10)):
        threads.append(threading.Thread(target=wait, args=(name, size)))
        threads[-1].start()
        time.sleep(0.05)
    assert served == {}
    first.release()
    for thread in threads:
        thread.join()
    assert sorted(served) == ["large", "small"] and line.reserved == 100


def test_who_waits_too_long_leaves_the_line() -> None:
    line = Admission(capacity=100 << 20)
    slot = line.admit(60 << 20, seconds=0)
    with pytest.raises(SandboxError, match="60 MiB of 100 MiB"):
        line.admit(50 << 20, seconds=0.05)
    other = line.admit(40 << 20, seconds=0)
    slot.release()
    slot.release()
    assert other.memory_bytes == line.reserved == 40 << 20


def test_memory_of_a_slot_that_an_interrupt_lost_is_free_again() -> None:
    line = Admission(capacity=100)

    def interrupted() -> None:
        line.admit(100, seconds=0)  # and nobody keeps it
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert line.admit(100, seconds=0).memory_bytes == 100


def test_what_can_never_fit_is_refused_at_once() -> None:
    with pytest.raises(SandboxError, match="does not fit"):
        admit(1 << 60, seconds=60)
    admit(1 << 20, seconds=0).release()
    assert 0 < machine().capacity < 1 << 60


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/a/b", {"memory.max": "900", "a/memory.max": "500", "a/b/memory.max": "max"}, 500),
        ("0::/gone", {"memory.max": "700"}, 700),
        ("9:cpu:/x\n4:memory:/x", {"memory/x/memory.limit_in_bytes": "300"}, 300),
        ("0::/", {}, 1 << 62),
    ],
)
def test_a_cgroups_limit(
    membership: str, files: dict[str, str], expected: int, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert cgroup_bytes(membership, tmp_path) == expected
