"""A query worker under attack."""

import hashlib
import os
import sqlite3
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sandbox import QueryLimits, QueryResult, QueryWorker, SandboxError
from sandbox.backends import BACKENDS
from tests.attacks.attack import CONTAINED, NOT_RUN, OPEN, STOPPED, Outcome, Query, Trial
from tests.attacks.bait import Bait

LIMITS = QueryLimits(seconds=0.3)
"""For queries that time may stop."""
PATIENT = QueryLimits(seconds=3.0)
"""For those that another bound must stop, or none, however slow the machine is."""
OVERTIME = 4.0
REPLY_BYTES = 1 << 20
"""More than this of what a query brought is a flood."""


class SqlScene:
    def __init__(self, backend: str, bait: Bait) -> None:
        self.backend, self.bait = backend, bait
        self._folder = tempfile.TemporaryDirectory(prefix="bait-sql-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)
        self._database = folder / "shop.sqlite"
        self._other = bait.folder / "other.sqlite"
        for path, text in ((self._database, "ink"), (self._other, bait.secret)):
            make_database(path, text)
        # As in BIRD's layout: the gold answers lie beside the databases.
        (folder / "dev.json").write_text(bait.secret)
        bait.files = bait.fingerprint()
        self._print = self._fingerprint()
        self._quick = QueryWorker(backend, LIMITS, [self._database])
        self._patient = QueryWorker(backend, PATIENT, [self._database])

    def attempt(self, attack: Query) -> Trial:
        """Run the query and see what came of it."""
        if attack.expected[self.backend] is NOT_RUN:
            return Trial(NOT_RUN)
        if attack.code:
            return self._take_over(attack)
        sql = self._filled(attack.sql)
        timed = not attack.kinds or "timeout" in attack.kinds
        worker, limits = (self._quick, LIMITS) if timed else (self._patient, PATIENT)
        started = time.monotonic()
        try:
            found = worker.query(self._database, sql, max_rows=50, max_cell=500)
        except SandboxError as error:
            return Trial(STOPPED, (f"the worker failed: {error}",))
        took = time.monotonic() - started
        broken = self._look_over(attack, found, worker)
        if took > limits.seconds + OVERTIME:
            broken.append(f"it took {took:.1f} s")
        seen = f"{found.error.kind}: {found.error.message}" if found.error else str(found.rows)
        return Trial(self._outcome(found), tuple(broken), seen[:200], took)

    def _filled(self, text: str) -> str:
        text = text.replace("OTHER", str(self._other)).replace("FOLDER", self._folder.name)
        return text.replace("CANARY", self.bait.facts.canary)

    def _take_over(self, attack: Query) -> Trial:
        """Run code where the worker would run, with what the worker may read."""
        made = self._patient.program([self._database])
        program = replace(made, arguments=("-I", "-S", "-c", self._filled(attack.code)))
        channel, seen = BACKENDS[self.backend]().start(program), b""
        try:
            with suppress(EOFError, TimeoutError):
                seen = channel.receive(PATIENT.seconds * 10, REPLY_BYTES)
        finally:
            channel.kill()
        reached = self.bait.secret.encode() in seen or b"dev.json" in seen
        broken = self._look_over(attack, QueryResult(), self._patient)
        return Trial(OPEN if reached else STOPPED, tuple(broken), seen[:200].decode())

    def close(self) -> list[str]:
        """End the worker; return what is left of it."""
        pids = [worker.pid for worker in (self._quick, self._patient)]
        self._quick.close()
        self._patient.close()
        self._folder.cleanup()
        return [f"process {pid} outlived the worker" for pid in pids if pid and _alive(pid)]

    def _outcome(self, found: QueryResult) -> Outcome:
        if self.bait.secret in str(found) or self._fingerprint() != self._print:
            return OPEN
        return STOPPED if found.error else CONTAINED

    def _look_over(self, attack: Query, found: QueryResult, worker: QueryWorker) -> list[str]:
        broken = []
        if found.error and attack.kinds and found.error.kind not in attack.kinds:
            broken.append(f"stopped as {found.error}")
        if len(str(found)) > REPLY_BYTES:
            broken.append("the result is a flood")
        try:
            answer = worker.query(self._database, "SELECT text FROM item")
        except SandboxError as error:
            return [*broken, f"the worker does not go on: {error}"]
        if answer.rows != (("ink",),):
            broken.append(f"the next query brings {answer}")
        if changes := self.bait.changes():
            broken.append(f"files outside were changed: {', '.join(changes)}")
        return broken

    def _fingerprint(self) -> dict[str, str]:
        folder = Path(self._folder.name)
        return {
            name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in sorted(os.listdir(folder))
        }


def make_database(path: Path, text: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE item (text TEXT)")
    connection.execute("INSERT INTO item VALUES (?)", (text,))
    connection.execute("CREATE VIRTUAL TABLE words USING fts5(text)")
    connection.execute("CREATE VIRTUAL TABLE boxes USING rtree(id, low, high)")
    connection.commit()
    connection.close()


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
