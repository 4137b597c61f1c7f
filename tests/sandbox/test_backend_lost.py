"""What a sandbox stands on is taken away: a typed error, and the next step works again."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.backends import BACKENDS
from sandbox.branching import BranchingSandbox
from sandbox.docker import daemon
from sandbox.docker.backend import UNSURE, Docker, forget_unsure
from sandbox.errors import SandboxError
from sandbox.owner import owner, start_time
from sandbox.program import Program
from sandbox.protocol import ROOT_NODE
from tests.support import faults
from tests.support.docker_relay import Relay
from tests.support.faults import LONG, SMALL, SPIN, gone, grow, know, wait_for
from tests.support.parts import missing
from tests.support.private_docker import PrivateDocker
from tests.support.sandboxes import require


class Attempt:
    """Something done in a thread of its own."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act = act
        self._found: object = None
        self._thread = threading.Thread(target=self._try)
        self._thread.start()

    def _try(self) -> None:
        try:
            self._found = self._act()
        except BaseException as error:  # noqa: BLE001  (for the test to look at)
            self._found = error

    def ended(self, seconds: float) -> bool:
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def trouble(self, seconds: float = 10.0) -> str:
        """The one line of the error that ended it within `seconds`."""
        assert self.ended(seconds), f"it hangs, {seconds:g} s after the fault"
        return one_line(self._found)


class Busy(Attempt):
    """A step that never ends."""

    def __init__(self, box: BranchingSandbox) -> None:
        self.mark = mark = faults.new_mark()
        super().__init__(lambda: box.step("n3", f"busy-{mark}", SPIN.format(mark=mark), LONG))
        wait_for(lambda: len(faults.marked(mark)) >= 3)


def one_line(error: object) -> str:
    assert isinstance(error, SandboxError), error
    assert "\n" not in str(error) and str(error)
    return str(error)


def trouble(act: Callable[[], object]) -> str:
    """The one line of the error that `act` raises."""
    with pytest.raises(SandboxError) as caught:
        act()
    return one_line(caught.value)


@pytest.fixture
def docker_box() -> Iterator[BranchingSandbox]:
    require("docker")
    with BranchingSandbox(Docker(), SMALL) as box:
        grow(box)
        yield box
    assert not faults.containers(owner())


def kill_container() -> None:
    with daemon.connected() as client:
        client.api.kill(faults.containers(owner())[0])


def remove_container() -> None:
    with daemon.connected() as client:
        client.api.remove_container(faults.containers(owner())[0], force=True)


@pytest.mark.parametrize("end", [kill_container, remove_container])
def test_a_container_killed_from_outside(
    docker_box: BranchingSandbox, end: Callable[[], None]
) -> None:
    end()
    assert "docker sandbox" in trouble(lambda: know(docker_box, "n3"))
    assert know(docker_box, "n3") == "(3, '3')"
    busy = Busy(docker_box)
    end()
    assert "docker sandbox" in busy.trouble()
    gone(lambda: faults.marked(busy.mark))
    assert know(docker_box, "n2") == "(2, '2')"


KEEPER, SUPERVISOR = 0, 1
"""Of the chain of processes from us to the root node: who only waits, and who serves."""


def chain() -> list[int]:
    """The processes that were started first, one below the other."""
    found: list[int] = []
    below = {os.getpid()}
    while len(below) == 1:
        found += below
        below = set(faults.children(found[-1]))
    return found[1:]


@pytest.mark.parametrize("which", [KEEPER, SUPERVISOR])
@pytest.mark.parametrize("name", ["bubblewrap", "landlock"])
def test_a_killed_supervisor_takes_its_nodes_along(name: str, which: int) -> None:
    """Without its keeper a sandbox may go on, and must end all the same."""
    require(name)
    with BranchingSandbox(BACKENDS[name](), SMALL) as box:
        grow(box)
        known = faults.descendants(os.getpid())
        os.kill(chain()[which], signal.SIGKILL)
        try:
            know(box, "n3")
        except SandboxError as error:
            one_line(error)
            gone(lambda: faults.living(known))
        assert know(box, "n3") == "(3, '3')"
        known |= faults.descendants(os.getpid())
    gone(lambda: faults.living(known))


@pytest.mark.parametrize("name", ["bubblewrap", "landlock"])
def test_a_supervisor_killed_in_a_step_takes_everything_along(name: str) -> None:
    require(name)
    with BranchingSandbox(BACKENDS[name](), SMALL) as box:
        grow(box)
        supervisor, busy = chain()[SUPERVISOR], Busy(box)
        known = faults.descendants(os.getpid())
        os.kill(supervisor, signal.SIGKILL)
        assert f"{name} sandbox" in busy.trouble()
        gone(lambda: faults.living(known) or faults.marked(busy.mark))
        assert know(box, "n3") == "(3, '3')"


@pytest.mark.parametrize("name", ["bubblewrap", "landlock"])
def test_a_stopped_supervisor_ends_with_its_sandbox(name: str) -> None:
    require(name)
    with BranchingSandbox(BACKENDS[name](), SMALL) as box:
        grow(box)
        known = faults.descendants(os.getpid())
        os.kill(chain()[SUPERVISOR], signal.SIGSTOP)
    gone(lambda: faults.living(known))


def kill_half_way() -> set[tuple[int, int]]:
    """Kill bwrap as soon as it has forked, before it lets its child go on; that child."""
    while not (below := faults.children(os.getpid())):
        pass
    while not (inner := faults.children(below[0])):
        pass
    known = {(inner[0], start_time(inner[0]))}  # only living processes have a start time
    os.kill(below[0], signal.SIGKILL)
    return known


def test_a_start_killed_half_way_ends() -> None:
    require("bubblewrap")
    for _ in range(8):
        with BranchingSandbox(BACKENDS["bubblewrap"](), SMALL) as box:
            start = Attempt(box.start)
            known = kill_half_way()
            hung = not start.ended(5.0)
            if hung:
                for pid in faults.living(known):
                    os.kill(pid, signal.SIGKILL)
                start.ended(60.0)
        assert not hung
        gone(lambda known=known: faults.living(known))


@pytest.fixture(scope="module")
def private() -> Iterator[PrivateDocker]:
    require("docker")
    if why := PrivateDocker.unavailable():
        missing("docker", why)
    with PrivateDocker() as running:
        yield running


@pytest.fixture
def private_box(
    private: PrivateDocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[BranchingSandbox]:
    private.start()
    monkeypatch.setenv("DOCKER_HOST", private.address)
    with BranchingSandbox(Docker(offline=True), SMALL) as box:
        grow(box)
        yield box
    assert not faults.containers(owner())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_restarted_in_the_middle_of_a_step(
    private: PrivateDocker, private_box: BranchingSandbox, number: signal.Signals
) -> None:
    busy = Busy(private_box)
    stopped = time.monotonic()
    private.stop(number)
    error = busy.trouble(20.0)
    print(f"{number.name}: reported after {time.monotonic() - stopped:.2f} s: {error}")
    assert "no Docker daemon runs" in trouble(lambda: know(private_box, "n3"))
    private.start()  # one that was killed ends and removes its containers only now
    gone(lambda: faults.marked(busy.mark) or faults.containers(owner()))
    assert know(private_box, "n3") == "(3, '3')"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_restarted_between_two_steps(
    private: PrivateDocker, private_box: BranchingSandbox, number: signal.Signals
) -> None:
    private.stop(number)
    private.start()
    trouble(lambda: know(private_box, "n3"))
    assert know(private_box, "n3") == "(3, '3')"
    assert len(faults.containers(owner())) == 1


@contextmanager
def slow_daemon(
    request: bytes, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[threading.Event]:
    """The machine's, behind a relay; set, before the daemon knows of it, when it is asked."""
    require("docker")
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    relay = Relay(folder / "docker.sock", slow=request, seconds=0.6)
    monkeypatch.setenv("DOCKER_HOST", relay.address)
    try:
        yield relay.asked
    finally:
        monkeypatch.undo()
        relay.stop()


@contextmanager
def interrupted(asked: threading.Event) -> Iterator[None]:
    """What is done within is interrupted, as by Ctrl-C, while the daemon is slow."""
    asked.clear()
    with pytest.raises(KeyboardInterrupt):
        Attempt(lambda: asked.wait(10.0) and signal.setitimer(signal.ITIMER_REAL, 0.1))
        yield


def test_a_start_interrupted_while_the_daemon_is_slow_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever removes a container before it is made has removed nothing.

    The program is none that branches: the folder that those call at is gone when the daemon
    comes to it, and the daemon makes no container then, but for a few milliseconds.
    """
    program = Program("idle", ("-c", "input()"), quota=SMALL)
    with slow_daemon(b"/containers/create", tmp_path, monkeypatch) as asked:
        for _ in range(3):
            with interrupted(asked):
                Docker().start(program)
            time.sleep(1.0)
            assert not faults.containers(owner())


def test_a_removal_that_is_interrupted_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with slow_daemon(b"DELETE ", tmp_path, monkeypatch) as asked:
        UNSURE.add("treegraft-perhaps")
        with interrupted(asked):
            forget_unsure()
        assert UNSURE
    forget_unsure()
    assert not UNSURE


def test_a_deleted_image_is_built_again(private_box: BranchingSandbox) -> None:
    private_box.close()
    with daemon.connected() as client:
        images = client.api.images()
        assert images
        for image in images:
            client.api.remove_image(image["Id"], force=True)
    assert know(private_box, "n3") == "(3, '3')"


ENDS_ONCE = (
    "import os\nif not os.path.exists({seen!r}):\n    open({seen!r}, 'w')\n    os._exit(9)\n"
)


def test_a_first_program_that_ended_is_started_once_more(tmp_path: Path) -> None:
    prelude = ENDS_ONCE.format(seen=str(tmp_path / "seen"))
    with BranchingSandbox(BACKENDS["process"](), SMALL, prelude) as box:
        assert box.step(ROOT_NODE, "a", "1 + 1").value == "2"
    with (
        BranchingSandbox(BACKENDS["process"](), SMALL, "import os; os._exit(3)") as box,
        pytest.raises(SandboxError, match=r"first program failed \(died, status 768\)"),
    ):
        box.start()
