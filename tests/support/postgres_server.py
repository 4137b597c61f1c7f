"""A private Postgres server from the machine's own package, for the tests that need a real one."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

import tools.bundled.sql as bundled
from tools.bundled.sql.build import db_id

BINARIES = Path("/usr/lib/postgresql")
ROLE, PASSWORD = "agent", "open-sesame-42"
SHOP = """
CREATE TABLE item (
    id serial PRIMARY KEY, name text NOT NULL UNIQUE, price numeric(8, 2), made date, n integer
);
CREATE TABLE line (item_id integer REFERENCES item (id), qty integer CHECK (qty > 0));
INSERT INTO item (name, price, made, n)
VALUES ('ink', 1.50, '2024-01-02', 3), ('pen', 2, '0044-03-15 BC', NULL), ('pad', 3.25, NULL, 7);
INSERT INTO line VALUES (1, 2), (2, 5);
"""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """socket: the folder of its socket; there is no network."""

    socket: Path

    @property
    def url(self) -> str:
        """As `--db` takes it, for the agents' role."""
        return f"postgresql://{ROLE}:{PASSWORD}@/postgres?host={self.socket}"

    def boss(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=str(self.socket), user="boss", dbname="postgres", autocommit=True
        )

    def databases(self) -> set[str]:
        with self.boss() as connection:
            return {str(row[0]) for row in connection.execute("SELECT datname FROM pg_database")}

    def create(self, name: str, script: str) -> None:
        """A database of the agents' role."""
        with self.boss() as connection:
            connection.execute(f'CREATE DATABASE "{name}" OWNER {ROLE}'.encode())
        with psycopg.connect(self.url.replace("/postgres?", f"/{name}?")) as connection:
            connection.execute(script.encode())


def binaries() -> Path | None:
    """The folder of the newest server's programs."""
    found = sorted(BINARIES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def running(programs: Path) -> Iterator[PostgresServer]:
    """A server with the agents' role, the database `shop`, and the bundled ones."""
    folder = Path(tempfile.mkdtemp(prefix="tg-pg-"))  # short: it is the socket's path
    user = "postgres" if os.geteuid() == 0 else ""  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)

    def call(program: str, *arguments: str) -> None:
        record = pwd.getpwnam(user) if user else None
        identity = {"user": record.pw_uid, "group": record.pw_gid} if record else {}
        subprocess.run(
            [programs / program, *arguments],
            **identity,  # type: ignore[call-overload]
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    data, log = str(folder / "data"), str(folder / "log")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=30"
    auth = ["--auth-local=scram-sha-256", f"--pwfile={folder / 'password'}"]
    (folder / "password").write_text("boss\n")
    os.environ["PGPASSWORD"] = "boss"
    try:
        call("initdb", "-D", data, "-U", "boss", *auth, "--no-sync", "-E", "UTF8", "--locale=C")
        call("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "start")
        try:
            server = PostgresServer(folder)
            fill(server)
            yield server
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        del os.environ["PGPASSWORD"]
        shutil.rmtree(folder, ignore_errors=True)


def fill(server: PostgresServer) -> None:
    with server.boss() as connection:
        connection.execute(f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{PASSWORD}'".encode())
        connection.execute("CREATE ROLE weak LOGIN PASSWORD 'weak'")
        connection.execute("CREATE ROLE reader LOGIN CREATEDB PASSWORD 'reader'")
        connection.execute("GRANT pg_read_server_files TO reader")
    server.create("shop", SHOP)
    for sources in bundled.DATABASES.values():
        for source in sources:
            server.create(db_id(source), source.SCHEMA + inserts(source.rows()))


def inserts(rows: Iterator[tuple[str, tuple[object, ...]]]) -> str:
    """Statements that insert `rows`."""

    def literal(value: object) -> str:
        if value is None:
            return "NULL"
        return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)

    lines = (f"INSERT INTO {t} VALUES ({', '.join(map(literal, row))});" for t, row in rows)
    return "\n".join(lines)
