"""The supervisor's requests: a tree of interpreters."""

import os
import platform
import socket
import time
from contextlib import closing
from typing import Any, NoReturn

from . import interpreter
from .files.base import Files
from .files.copies import Copies
from .files.overlay import Overlay
from .files.safe_files import listed, reading_beneath
from .framing import Gone, Host, Link, Message, binary, pair, text
from .jobs import Job, reply_of
from .kernel import confine, seccomp
from .kernel.processes import Processes
from .nodes import Lost, Node, Nodes, NoRoom
from .run_monitor import RunMonitor
from .serving import Refused, Service

ROOT_NODE = "root"
SHARED_MEMORY = "/dev/shm"
IDLE_SECONDS = 0.05
"""Without a request for so long, the engine is taken to be busy with something else."""
ALL = 1 << 30
START_LIMITS = {
    "seconds": 60.0,
    "flood_bytes": 1 << 20,
    "output_bytes": 4096,
    "value_chars": 0,
}


class _RootDied(Refused):
    """The root interpreter ended before it answered."""


class Supervisor(Service):
    """Starts the root interpreter, forks nodes, and runs code in them."""

    def __init__(self, host: Host, settings: dict[str, Any]) -> None:
        """Start the root interpreter; see `Service`."""
        super().__init__(host, settings)
        self._home: str = settings["home"]
        self._limits: dict[str, int] = settings["limits"]
        shared = (SHARED_MEMORY,) if settings["own_namespace"] else ()
        processes = Processes(settings["own_namespace"])
        monitor = RunMonitor(processes, host.controls, self.ends_at, settings["pids"])
        self._nodes = Nodes(processes, self._files(), monitor, shared)
        confine.hide()  # not before: a hidden process may not write its own user map
        self._root = self._start_root()
        self.operations = {
            "step": self._step,
            "grade": self._grade,
            "put": self._put,
            "get": self._get,
            "files": self._list,
            "drop": self._drop,
            "stat": self._stat,
        }

    def facts(self) -> Message:
        """See `Service`."""
        files, python = self._nodes.files.name, platform.python_version()
        return {"files": files, "python": python, "seccomp": seccomp.SUPPORTED}

    def idle(self) -> None:
        """See `Service`."""
        if not self.host.has_more(IDLE_SECONDS):
            self._nodes.files.clean_up(ALL)

    def answer(self, request: Message) -> Message:
        """See `Service`."""
        try:
            return super().answer(request)
        except Lost as lost:
            reply: Message = {"lost": lost.name, "hung": lost.hung}
            return reply | {"evicted": self._forget(lost.name)}

    def _files(self) -> Files:
        """Return layers if mounting is allowed, else copies."""
        most_bytes, most_files = self.settings["disk_bytes"], self.settings["inodes"]
        if self.settings["mounts"]:
            try:
                confine.leave_for_own_namespace()
                # Only here: elsewhere all of our user's processes on the machine would count.
                self._limits["NPROC"] = self.settings["pids"]
                return Overlay(self._home, most_bytes, most_files)
            except OSError:
                os.chdir("/")
        in_memory = os.path.ismount(self._home)
        return Copies(self._home, most_bytes, most_files, in_memory)

    def _start_root(self) -> Node:
        """Start the root; once more if it died: only our code ran in it, so others ended it."""
        try:
            return self._new_root()
        except _RootDied:
            return self._new_root()

    def _new_root(self) -> Node:
        kept = self._nodes.files.initial()
        self._nodes.files.resume(kept)
        link, theirs = pair()
        pid = os.fork()
        if not pid:
            self._be_root(theirs, link)
        theirs.close()
        root = Node(ROOT_NODE, link, pid, kept=None)
        self._nodes.add(root)
        limits = START_LIMITS | {"memory_bytes": self.settings["held_bytes"]}
        with closing(Job([self.settings["prelude"]], limits)) as job:
            run = self._nodes.run(root, job)
        if run.why or run.reply.get("exception"):
            reason = run.reply.get("exception") or job.output.text()[0]
            how = run.why if run.status is None else f"{run.why}, status {run.status}"
            kind = _RootDied if run.why == "died" else Refused
            raise kind(f"the sandbox's first program failed ({how}): {reason}")
        self._nodes.settle_in(root, run)
        return root

    def _be_root(self, theirs: socket.socket, link: Link) -> NoReturn:
        """Be the interpreter from which all others descend (in the child)."""
        try:
            link.close()
            self.host.leave()
            confine.become_node(self._limits, self.settings["families"])
            os.chdir(os.path.join(self._home, "work"))
            seccomp.guard_signals(os.getpid() + 1)
            interpreter.prepare()
            interpreter.Interpreter(theirs, self._home).serve()
        except BaseException as error:
            os.write(2, f"{error!r}\n".encode(errors="replace"))
            raise
        finally:
            os._exit(1)  # the rest of the program is the supervisor's

    def _node(self, name: str) -> Node:
        try:
            return self._nodes.by_name[name]
        except KeyError:
            raise Lost(name) from None

    def _forget(self, name: str) -> list[str]:
        """Drop a node that does not answer, and what it left. The root must answer."""
        node = self._nodes.by_name.get(name)
        if node is self._root:
            raise Gone
        if node is not None:
            self._nodes.drop(node)
        self._nodes.processes.sweep(self._nodes.pids())
        return [name]

    def _step(self, request: Message) -> Message:
        parent = self._node(request["parent"])
        evicted = self._keep_bounds(parent)
        started = time.monotonic()
        in_place = request["node"] == parent.name
        evicted += self._nodes.show(parent, resume=in_place)
        shown = time.monotonic()
        with closing(Job([request["code"]], request["limits"])) as job:
            node = parent if in_place else self._fork(parent, request["node"], job, evicted)
            forked = time.monotonic()
            run = self._nodes.run(node, job)
        run.seconds |= {"files": shown - started, "fork": forked - shown}
        if not run.why:
            self._nodes.settle_in(node, run)
            evicted += self._keep_bounds(node)
        elif in_place:
            evicted.append(node.name)
        return reply_of(run, job) | {"unforkable": list(node.unforkable), "evicted": evicted}

    def _grade(self, request: Message) -> Message:
        evicted = self._nodes.show(self._node(request["leaf"]))
        texts = [text for text in (request["prepare"], request["code"]) if text]
        started = time.monotonic()
        with closing(Job(texts or [""], request["limits"], grade=True)) as job:
            judge = self._fork(self._root, "", job, evicted)
            forked = time.monotonic()
            run = self._nodes.run(judge, job)
        run.seconds["fork"] = forked - started
        if not run.why:
            self._nodes.drop(judge)
        return reply_of(run, job) | {"unforkable": [], "evicted": evicted}

    def _fork(self, parent: Node, name: str, job: Job, evicted: list[str]) -> Node:
        """Fork `parent`; if the kernel refuses, evict half of the other nodes and try again."""
        try:
            return self._nodes.fork(parent, name, job)
        except NoRoom:
            half = len(self._nodes.by_name) // 2
            evicted += self._nodes.evict(
                half, self.settings["held_bytes"], {ROOT_NODE, parent.name}
            )
            self._nodes.reap_dropped()
        try:
            return self._nodes.fork(parent, name, job)
        except NoRoom as refusal:
            raise Refused(f"no process can be started: {refusal.args[0]}") from refusal

    def _keep_bounds(self, spared: Node) -> list[str]:
        """Evict until the quota is kept; the root and `spared` stay."""
        most_nodes, most_bytes = self.settings["nodes"], self.settings["held_bytes"]
        return self._nodes.evict(most_nodes, most_bytes, {ROOT_NODE, spared.name})

    def _put(self, request: Message) -> Message:
        if len(self._nodes.by_name) > 1:
            raise Refused("files can be put only before the first step")
        self._nodes.show(self._root)
        path = os.path.join(self._home, "work", request["path"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(binary(request["data"]))
        kept = self._nodes.files.save()
        self._nodes.files.release(self._root.kept)
        self._root.kept = kept
        return {}

    def _get(self, request: Message) -> Message:
        evicted = self._nodes.show(self._node(request["node"]), look=True)
        try:
            with reading_beneath(self._home, f"work/{request['path']}") as descriptor:
                data = os.read(descriptor, request["max_bytes"] + 1)
        except (OSError, ValueError) as error:
            return {"absent": str(error), "evicted": evicted}
        if len(data) > request["max_bytes"]:
            too_large = f"{request['path']} is larger than {request['max_bytes']} bytes"
            return {"absent": too_large, "evicted": evicted}
        return {"data": text(data), "evicted": evicted}

    def _list(self, request: Message) -> Message:
        evicted = self._nodes.show(self._node(request["node"]), look=True)
        found = listed(os.path.join(self._home, "work"), self.settings["inodes"])
        return {"files": sorted(found)[: request["most"]], "evicted": evicted}

    def _drop(self, request: Message) -> Message:
        node = self._nodes.by_name.get(request["node"])
        if node is not None and node is not self._root:
            self._nodes.drop(node)
        return {}

    def _stat(self, _: Message) -> Message:
        nodes = self._nodes.by_name.values()
        return {
            "bytes": {node.name: node.private for node in nodes},
            "held": self._nodes.files.held,
            "pids": self._nodes.processes.living(),
            "files": self._nodes.files.name,
        }
