"""Nodes: fork one, run code in it, keep it stopped, evict it. One runs at a time.

Whatever a node does to itself (hangs, dies, floods, grows, forks, runs on after its reply) costs
that node and nothing else. Apart from other programs on the machine, only that node and its
children can run during a step, and nothing at all between two steps.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field

from .files.base import Files, Full, Kept
from .files.safe_files import remove
from .framing import Gone, Link, Message, Silent, pair
from .jobs import Job, Run
from .kernel.processes import Processes, is_alive, read_process, send_signal
from .run_monitor import LimitReached, RunMonitor

TIDIED = 4
"""Mounts that are ended at most while a node forks, which takes as long."""
ANSWER_SECONDS = 5.0
"""How long a fork may take; an honest node runs none of its own code for it."""


class Lost(Exception):
    """A node is gone, or does not answer; `hung` if out of time: a replay would hang again."""

    def __init__(self, name: str, hung: bool = False) -> None:
        super().__init__(name)
        self.name, self.hung = name, hung


class NoRoom(Exception):
    """The kernel refuses another process; `args` hold its message."""


@dataclass(slots=True)
class Node:
    """A forked interpreter.

    Attributes:
        name: as the host calls it.
        kept: its files; None if they were not saved, or are in use.
        parent: the node that it was forked from, if that lives.
        unforkable: why a fork of it would not be faithful.
        private: bytes of memory, an upper bound.
        used: when it was used last, by the monotonic clock.
        dropped: process numbers of children that were killed and not yet reaped.
    """

    name: str
    link: Link
    pid: int
    kept: Kept
    parent: "Node | None" = None
    unforkable: tuple[str, ...] = ()
    private: int = 0
    used: float = field(default_factory=time.monotonic)
    dropped: list[int] = field(default_factory=list)


class Nodes:
    """All living nodes."""

    def __init__(
        self,
        processes: Processes,
        files: Files,
        monitor: RunMonitor,
        shared: tuple[str, ...] = (),
    ) -> None:
        """Start without nodes.

        Args:
            shared: folders that nodes can write besides their own, emptied after every step.
        """
        self.processes, self.files, self._shared = processes, files, shared
        self._monitor = monitor
        self.by_name: dict[str, Node] = {}
        self._unkept: Node | None = None
        self._awake: set[int] = set()
        """Processes of nodes that were told to stop, and not yet checked."""
        self._shown: Node | None = None
        """The last node that was settled, while `home` still holds its saved files."""

    def pids(self) -> set[int]:
        """Return the processes of all nodes."""
        return {node.pid for node in self.by_name.values()}

    def add(self, node: Node) -> None:
        """Register a node that has answered, and stop it."""
        self.by_name[node.name] = node
        self.processes.stop([node.pid])

    def show(self, node: Node, *, resume: bool = False, look: bool = False) -> list[str]:
        """Make `home` hold the node's files.

        Args:
            resume: whether the node itself goes on with them.
            look: whether we only read them, and no node runs before the next call.

        Returns:
            Names of nodes that are lost by that.

        Raises:
            Lost: its files were not saved, and others have been shown since.
        """
        if node is self._unkept:
            return []
        gone = [] if node is self._shown and (resume or look) else self._leave()
        if node.kept is None or node.name in gone:
            raise Lost(node.name)
        if look:
            self.files.show_to_read(node.kept)
            return gone
        self._shown = None
        if resume:
            self.files.resume(node.kept)
            node.kept = None
        else:
            self.files.show(node.kept)
        return gone

    def _leave(self) -> list[str]:
        """Let go of what `home` holds; return the names of nodes that have no files then."""
        gone = [self._unkept] if self._unkept else []
        self._unkept = None
        try:
            self.files.detach()
        except Full:
            gone += [self._shown] if self._shown else []
        self._shown = None
        for node in gone:
            self.drop(node)
        return [node.name for node in gone]

    def fork(self, parent: Node, name: str, job: Job) -> Node:
        """Return a running child of `parent`, which is stopped again; not registered yet.

        Args:
            job: what the child is to run, for `run`. A short job waits for the child, which begins
                with it while we look after its parent.

        Raises:
            Lost: the parent does not answer as it should.
            NoRoom: the parent is well, and cannot fork.
        """
        if not is_alive(parent.pid):
            raise Lost(parent.name)
        link, theirs = pair()
        try:
            job.send_early(link)
            send_signal(parent.pid, signal.SIGCONT)
            parent.link.send({"op": "fork"}, (theirs.fileno(),))
            theirs.close()
            self.files.clean_up(TIDIED)
            deadline = time.monotonic() + ANSWER_SECONDS
            pid = link.sender(deadline, self._monitor.controls)
            link.receive(deadline, self._monitor.controls)
        except Silent as error:
            link.close()
            raise Lost(parent.name, hung=True) from error
        except (Gone, OSError) as error:
            link.close()
            self._require_able(parent)
            raise Lost(parent.name) from error
        finally:
            theirs.close()
            # Do not wait for it: its child runs, may keep it awake, and has to be watched.
            send_signal(parent.pid, signal.SIGSTOP)
            self._awake.add(parent.pid)
        if pid in self.pids() or pid <= 0:
            link.close()
            raise Lost(parent.name)
        parent.used = time.monotonic()
        return Node(name, link, pid, kept=None, parent=parent)

    def _require_able(self, parent: Node) -> None:
        """Raise NoRoom if the parent says that it could not fork."""
        with contextlib.suppress(Gone):
            reason = self._soon(parent.link).get("unable")
            if isinstance(reason, str):
                raise NoRoom(reason[:200])

    def run(self, node: Node, job: Job) -> Run:
        """Run code in a node; afterwards the node and everything it started is stopped or dead."""
        run = Run()
        started = time.monotonic()
        idle = self.pids() - {node.pid}
        try:
            if not job.begun:  # otherwise it runs already, or stopped by itself
                send_signal(node.pid, signal.SIGCONT)
            for number in range(len(job.texts)):
                job.send(node.link, number)
                run.reply = self._monitor.reply(node.pid, node.link, job, idle)
                if run.reply.get("exception"):
                    break
        except LimitReached as limit:
            run.why = limit.why
        except (Gone, OSError):
            run.why = "died"
        finally:
            job.end()
        run.seconds["run"] = time.monotonic() - started
        self._settle(node, run, job)
        return run

    def _settle(self, node: Node, run: Run, job: Job) -> None:
        """Stop the node, or end it if it failed; end everything else that it started."""
        started = time.monotonic()
        if run.why:
            send_signal(node.pid, signal.SIGKILL)
            run.status = self._how_it_ended(node)
            self.by_name.pop(node.name, None)
            node.link.close()
        if not run.why:
            self._awake.add(node.pid)
        awake, self._awake = self._awake, set()
        if not self.processes.sweep(self.pids() | awake, awake):
            raise SystemExit("processes of a node will not die")
        for folder in self._shared:
            for name in os.listdir(folder):
                remove(os.path.join(folder, name), folder)
        with contextlib.suppress(OSError):
            job.output.drain(job.reading)
        run.seconds["sweep"] = time.monotonic() - started

    def _how_it_ended(self, node: Node) -> int | None:
        """Return its exit status, from its parent; None if the parent does not answer."""
        if not self.by_name.keys() - {node.name}:  # the first of all, our own child
            return self.processes.ended(node.pid)
        if node.parent is None or node.parent.name not in self.by_name:
            return None
        status = self._reap(node.parent, node.pid).get("status")
        return status if isinstance(status, int) else None

    def _reap(self, parent: Node, pid: int) -> Message:
        """Have the parent reap a dead child; return the parent's answer."""
        try:
            send_signal(parent.pid, signal.SIGCONT)
            parent.link.send({"op": "reap", "pid": pid})
            while (answer := self._soon(parent.link)).get("pid") != pid:
                pass  # a late answer to an earlier question
            return answer
        except (Gone, OSError):
            return {}
        finally:
            self.processes.stop([parent.pid])

    def _soon(self, link: Link) -> Message:
        return link.receive(time.monotonic() + 1.0, self._monitor.controls)

    def reap_dropped(self) -> None:
        """Have parents reap their dropped children, which count as processes until then."""
        for node in list(self.by_name.values()):
            while node.dropped:
                self._reap(node, node.dropped.pop())

    def settle_in(self, node: Node, run: Run) -> None:
        """Register a node whose code ran to its end, with its files and its memory."""
        started = time.monotonic()
        unforkable = run.reply.get("unforkable")
        found = (
            {str(mark)[:20] for mark in unforkable[:8]} if isinstance(unforkable, list) else set()
        )
        seen = read_process(node.pid)
        if seen is None:
            raise Lost(node.name)
        if seen.threads > 1:
            found.add("threads")
        node.private = seen.private
        try:
            kept = self.files.save()
        except Full:
            kept, found = None, found | {"files"}
            if self._unkept is not None and self._unkept is not node:
                self.drop(self._unkept)
            self._unkept = node
        self._shown = node if kept is not None else None
        node.kept, node.unforkable = kept, tuple(sorted(found))
        node.used = time.monotonic()
        self.by_name[node.name] = node
        run.seconds["files"] = run.seconds.get("files", 0.0) + time.monotonic() - started

    def drop(self, node: Node) -> None:
        """End a node. What its children share with it lives on in them."""
        self.by_name.pop(node.name, None)
        self._awake.discard(node.pid)
        send_signal(node.pid, signal.SIGKILL)
        node.link.close()
        if node.parent is not None:
            node.parent.dropped.append(node.pid)
        heirs = [child for child in self.by_name.values() if child.parent is node]
        for child in heirs:
            child.parent = None
        if heirs:
            heirs[0].private += node.private
        if node.kept is not None:
            self.files.release(node.kept)

    def evict(self, most_nodes: int, most_bytes: int, spare: set[str]) -> list[str]:
        """Drop the least recently used nodes not in `spare` until in bounds; return the dropped."""
        gone: list[str] = []
        by_age = sorted(self.by_name.values(), key=lambda node: node.used)
        for node in by_age:
            if len(self.by_name) <= most_nodes and self.weight() <= most_bytes:
                break
            if node.name not in spare:
                self.drop(node)
                gone.append(node.name)
        return gone

    def weight(self) -> int:
        """Return the bytes of memory that the nodes hold, an upper bound."""
        return sum(node.private for node in self.by_name.values()) + self.files.held
