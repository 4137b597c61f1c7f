"""A Postgres server: connections, private copies of databases, and what dead owners left there.

No message holds the password of the URL: the driver's errors about a URL quote it, so they are not
passed on, and it is removed from errors about a connection.
"""

import hashlib
import itertools
import os
import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from environments.errors import DataError
from sandbox import SandboxError
from sandbox.owner import start_time

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
IDLE_SECONDS = 6 * 3600
"""Time without a statement after which the server ends a session: its owner hangs or is gone."""

SETTINGS = {
    "client_connection_check_interval": "2s",
    "datestyle": "ISO",
    "idle_in_transaction_session_timeout": f"{IDLE_SECONDS}s",
    "intervalstyle": "postgres",
    "jit": "off",
    # The order of rows must not depend on which worker finishes first.
    "max_parallel_workers_per_gather": "0",
    "synchronize_seqscans": "off",
    "timezone": "UTC",
}

POWERS = ("pg_execute_server_program", "pg_read_server_files", "pg_write_server_files")
"""Roles whose members can do more than use databases."""

_numbers = itertools.count(1)


def driver() -> Any:
    """Return the psycopg module; raise `DataError` if it is not installed."""
    try:
        import psycopg
    except ImportError as error:
        raise DataError("--db needs psycopg: pip install 'treegraft[postgres]'") from error
    return psycopg


class Server:
    """The Postgres server at postgres://user:password@host:port/database (the option `db`).

    The role must be an ordinary one that may create databases, and must own the databases of the
    tasks (unless they are marked as templates). The URL's own database is only connected to.
    """

    def __init__(self, url: str) -> None:
        """Prepare; the first use connects.

        Raises:
            DataError: `url` is not such a URL, or psycopg is not installed.
        """
        psycopg = driver()
        from psycopg.conninfo import conninfo_to_dict

        try:
            self._where: dict[str, Any] = conninfo_to_dict(url) if "://" in url else {}
        except psycopg.Error:
            self._where = {}
        if not self._where or not url.startswith(("postgres://", "postgresql://")):
            raise DataError("--db must be postgres://user:password@host:port/database")
        self._checked = False

    def connect(self, database: str | None = None) -> "psycopg.Connection[tuple[Any, ...]]":
        """Open an autocommitting connection to `database`, by default the URL's own.

        Raises:
            SandboxError: the server does not answer, or not to this role.
        """
        import psycopg

        options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        where: dict[str, Any] = {"connect_timeout": CONNECT_SECONDS, "dbname": "postgres"}
        where |= self._where | ({"dbname": database} if database else {})
        try:
            return psycopg.connect(
                **where, options=options, autocommit=True, prepare_threshold=None
            )
        except psycopg.Error as error:
            raise SandboxError(f"cannot connect to Postgres: {self.complaint(error)}") from None

    def complaint(self, error: Exception) -> str:
        """Return the message of the server or the driver on one line, without the password."""
        text = " ".join(str(error).split())[:300]
        password = self._where.get("password")
        return text.replace(str(password), "***") if password else text

    def clone(self, template: str) -> str:
        """Copy the database `template`, and return the copy's name.

        Raises:
            DataError: there is no such database, or the role may not copy it, or is too powerful.
            SandboxError: the server does not answer, or others are connected to `template`.
        """
        psycopg = driver()
        from psycopg.sql import SQL, Identifier

        with self.connect() as connection:
            if not self._checked:
                _check_role(connection)
                _sweep(connection)
                self._checked = True
            name = f"{_prefix()}{os.getpid()}_{start_time(os.getpid())}_{next(_numbers)}"
            command = SQL("CREATE DATABASE {} TEMPLATE {}")
            try:
                connection.execute(command.format(Identifier(name), Identifier(template)))
            except psycopg.errors.ObjectInUse:
                raise SandboxError(
                    f"cannot copy the database {template!r}: others are connected to it"
                ) from None
            except psycopg.Error as error:
                raise DataError(
                    f"cannot copy the database {template!r}: {self.complaint(error)}"
                ) from None
        return name

    def drop(self, name: str) -> None:
        """Remove a database that `clone` made; if that fails, the next sweep removes it."""
        psycopg = driver()
        try:
            with self.connect() as connection:
                _drop(connection, name, force=True)
        except (psycopg.Error, SandboxError):
            return


def _check_role(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Raise DataError unless the role is an ordinary one that may create databases."""
    held = ", ".join(f"pg_has_role(current_user, '{role}', 'MEMBER')" for role in POWERS)
    row = connection.execute(
        "SELECT current_user::text, rolsuper, rolcreatedb OR rolsuper,"
        f" ARRAY[{held}] FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    assert row is not None
    role, superuser, creates, powers = row
    too_much = [name for name, has in zip(POWERS, powers, strict=True) if has]
    if superuser or too_much:
        what = "a superuser" if superuser else f"a member of {too_much[0]}"
        raise DataError(f"the role {role!r} is {what}: use --db with an ordinary role (CREATEDB)")
    if not creates:
        raise DataError(f"the role {role!r} may not create databases: ALTER ROLE ... CREATEDB")


def _sweep(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """Drop databases whose owner ran on this machine and has ended."""
    rows = connection.execute("SELECT datname FROM pg_database ORDER BY datname").fetchall()
    for name in leftovers(str(row[0]) for row in rows):
        _drop(connection, name, force=False)


def _drop(connection: "psycopg.Connection[tuple[Any, ...]]", name: str, *, force: bool) -> None:
    """Drop a database; without `force`, not one that somebody is connected to."""
    psycopg = driver()
    from psycopg.sql import SQL, Identifier

    command = SQL("DROP DATABASE IF EXISTS {}" + (" WITH (FORCE)" if force else ""))
    try:
        connection.execute(command.format(Identifier(name)))
    except (psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege):
        return  # in use after all (another pid namespace), or another role's


def leftovers(names: Iterator[str]) -> list[str]:
    """Return those databases whose owner ran on this machine and has ended."""
    found = []
    for name in names:
        pid, _, rest = name.removeprefix(_prefix()).partition("_")
        ours = name.startswith(_prefix()) and pid.isdecimal()
        if ours and str(start_time(int(pid))) != rest.partition("_")[0]:
            found.append(name)
    return found


def _prefix() -> str:
    machine = hashlib.sha256(platform.node().encode()).hexdigest()[:8]
    return f"treegraft_{machine}_"
