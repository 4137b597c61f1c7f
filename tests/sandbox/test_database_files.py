"""Databases with logs and journals, databases that change, and what a worker can read at all."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from environments.sql.sqlite.editor import SqliteEditor
from sandbox import QueryWorker, SandboxError
from sandbox.errors import DatabaseChanged
from sandbox.sql.database_files import expect
from tests.support.sandboxes import require
from tests.support.sql_tasks import write_database

COUNT = "SELECT count(*) FROM item"


def wal(path: Path, *, shm: bool = True) -> Path:
    """Write a database whose two rows are in the log only, as a killed program leaves it."""
    live = path.with_name("live.sqlite")
    with closing(sqlite3.connect(live, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE item (id INTEGER)")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("INSERT INTO item VALUES (1), (2)")
        for ending in ("", "-wal", "-shm") if shm else ("", "-wal"):
            shutil.copy(f"{live}{ending}", f"{path}{ending}")
    live.unlink()
    return path


def wal_without_shm(path: Path) -> Path:
    return wal(path, shm=False)


def hot_journal(path: Path) -> Path:
    """Write a database that a killed program left in a transaction: two rows, and half a third."""
    live = write_database(path.with_name("live.sqlite"))
    with closing(sqlite3.connect(live, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("PRAGMA cache_spill = 1")
        connection.execute("BEGIN")
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 5 UNION ALL SELECT i + 1 FROM n LIMIT 50000)"
            " INSERT INTO item SELECT i FROM n"
        )
        for ending in ("", "-journal"):
            shutil.copy(f"{live}{ending}", f"{path}{ending}")
    live.unlink()
    return path


def finished_journal(path: Path) -> Path:
    """Write a database with a journal that has nothing to undo."""
    path.with_name(f"{path.name}-journal").write_bytes(bytes(512))
    return write_database(path)


def empty_log(path: Path) -> Path:
    path.with_name(f"{path.name}-wal").write_bytes(b"")
    return write_database(path)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        *(
            (make, "process")
            for make in (wal_without_shm, hot_journal, finished_journal, empty_log)
        ),
        (wal, "bubblewrap"),
        (hot_journal, "landlock"),
        (wal, "docker"),
    ],
)
def test_what_was_committed_is_read_and_nothing_is_changed(
    tmp_path: Path, make: Callable[[Path], Path], kind: str
) -> None:
    require(kind)
    path = make(tmp_path / "shop.sqlite")
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    tmp_path.chmod(0o555)
    with QueryWorker(kind) as worker:
        assert worker.query(path, COUNT).rows == ((2,),)
        assert worker.compare(path, COUNT, "SELECT 2").set_equal
    with closing(SqliteEditor(kind)) as editor:
        editor.open(str(path))
        assert editor.run(COUNT, max_rows=1, max_cell=9).result.rows == ((2,),)
    tmp_path.chmod(0o755)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def add_row(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO item VALUES (99)")
        connection.commit()


def add_row_in_a_log(path: Path) -> None:
    shutil.copy(wal(path.with_name("other.sqlite")), path)
    shutil.copy(path.with_name("other.sqlite-wal"), f"{path}-wal")


def replace_file(path: Path) -> None:
    facts = path.stat()
    write_database(path.with_name("new.sqlite"), 3).replace(path)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))


@pytest.mark.parametrize("change", [add_row, add_row_in_a_log, replace_file])
def test_a_database_that_changes_is_noticed(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = write_database(tmp_path / "shop.sqlite")
    with QueryWorker("process") as worker, closing(SqliteEditor("process")) as editor:
        assert worker.query(path, COUNT).rows == ((2,),)
        editor.open(str(path))
        change(path)
        with pytest.raises(DatabaseChanged, match=r"shop.sqlite has changed since"):
            worker.query(path, COUNT)
        with pytest.raises(DatabaseChanged, match=r"shop.sqlite has changed since"):
            editor.open(str(path))
    with QueryWorker("process") as worker:
        worker.query(path, COUNT)  # another worker knows the new file only


def test_what_tasks_were_read_of_is_what_workers_expect(tmp_path: Path) -> None:
    path = write_database(tmp_path / "shop.sqlite")
    missing = str(tmp_path / "missing.sqlite")
    known = expect([str(path), missing])
    assert known[str(path)] and not known[missing]
    add_row(path)
    with QueryWorker("process") as worker, pytest.raises(SandboxError, match="has changed"):
        worker.query(path, COUNT)
    assert expect([str(path)]) != {str(path): known[str(path)]}
    with QueryWorker("process") as worker:
        assert worker.query(path, COUNT).rows == ((3,),)
