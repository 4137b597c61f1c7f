"""The states of a task in its container: files as images, and the shell as text."""

from collections import Counter
from dataclasses import dataclass, replace

from environments.forked.inside.shell import FIRST_STATE, SAVE, STATE_OUT, WHOLE, quoted
from sandbox.docker.containers import Bounds, Call, Container, Ran, remove_image

OUTER = 'bash --norc --noprofile -c "$1" </dev/null; s=$?; kill -9 -1 2>/dev/null; exit $s'
"""Runs a script; what it left in the background ends with it."""
LONGEST = 120_000
"""Bytes of a command with the shell's state; the kernel takes 128 kB in one argument."""


@dataclass(frozen=True, slots=True)
class State:
    """A state: the image with the files, and what the shell keeps."""

    image: str
    shell: str = FIRST_STATE


class States:
    """The current state and those that snapshots hold."""

    def __init__(self, first: bytes) -> None:
        """Prepare; `first` is an archive that is unpacked at the start of each task."""
        self._first = first
        self.current = State("")
        self._bounds, self._base = Bounds(), ""
        self._container: Container | None = None
        self._changed = False
        self._held: Counter[str] = Counter()
        self._made: list[str] = []
        """Images of states, the oldest first; one cannot be removed before those made of it."""
        self._unneeded: set[str] = set()

    def begin(self, image: str, bounds: Bounds) -> None:
        """Go to the start of a task: an image that is not ours to remove."""
        if bounds != self._bounds:
            self._stop()
        self._bounds, self._base = bounds, image
        self._go(State(image))

    def run(self, command: str, call: Call, seconds: float) -> Ran:
        """Run a command in the shell; if it is stopped, the state is as it was.

        `call` has the user and the folder in which a first shell starts.
        """
        self.keep()
        script = self._script(command)
        if len(script.encode("utf-8", "surrogateescape")) > LONGEST:
            return Ran(1, b"the command is too long")
        ran = self.container.run(
            replace(call, arguments=("bash", "-c", OUTER, "-", script)), seconds
        )
        if ran.why:
            self._container = None
            return ran
        shell = ran.errors.decode("utf-8", "surrogateescape")
        if shell.rstrip().endswith(WHOLE):
            self.current = replace(self.current, shell=shell)
        self._changed = True
        return ran

    def _script(self, command: str) -> str:
        return "; ".join(  # in one line, so that the command's own lines count from 1
            (
                f"exec {STATE_OUT}>&2 2>&1",
                f"builtin eval {quoted(SAVE)}",
                f"builtin eval {quoted(self.current.shell)} 2>/dev/null",
                "builtin trap '{ __save; } 2>/dev/null' EXIT",
                f"eval {quoted(command)}",
            )
        )

    @property
    def container(self) -> Container:
        """A container in the current state; started on first use."""
        if self._container is None:
            self._container = Container(self.current.image, self._bounds)
            if self.current.image == self._base:
                self._container.upload(self._first)
        return self._container

    def keep(self) -> None:
        """Make an image of the current state, unless it is one."""
        if not self._changed:
            return
        left = self.current
        image = self.container.commit()
        self._made.append(image)
        self.current, self._changed = State(image, left.shell), False
        self._let_go(left.image)

    def save(self) -> State:
        """Return the current state, to be held until `free`."""
        self.keep()
        self._held[self.current.image] += 1
        return self.current

    def load(self, state: State) -> None:
        """Go to a saved state."""
        self._go(state)

    def free(self, state: State) -> None:
        """Give a saved state up."""
        self._held[state.image] -= 1
        self._let_go(state.image)

    def close(self) -> None:
        """Remove the container, and all images of states."""
        self._stop()
        self.current = State("")
        self._held.clear()
        self._unneeded.update(self._made)
        self._remove()

    def _go(self, state: State) -> None:
        if self._changed or state.image != self.current.image:
            self._stop()
        left, self.current = self.current, state
        self._let_go(left.image)

    def _stop(self) -> None:
        if self._container is not None:
            self._container.remove()
            self._container = None
        self._changed = False

    def _let_go(self, image: str) -> None:
        if self._held[image] <= 0 and image != self.current.image and image in self._made:
            self._unneeded.add(image)
            self._remove()

    def _remove(self) -> None:
        for image in [image for image in reversed(self._made) if image in self._unneeded]:
            if remove_image(image):
                self._made.remove(image)
                self._unneeded.discard(image)
