"""Copy training tasks in BIRD's layout under other names, so that a student learns to read schemas.

    python examples/renamed.py TARGET [--data DIR] [--copies 3] [--seed 0] [--only-copies] \
        [--per-database N]
    engine explore --env bird --data TARGET --split train --env-arg schema=prompt --output RUN

A student that is trained on few databases memorises their tables, and names them on every other
database, too. So each database is copied under other names: every table becomes another thing,
drawn from a list (in its questions, too), and names are written in another style (`full_name`,
`FullName`, `fullName`, `fullname`). Rows, values and the results of the queries stay the same: a
task is kept only if its gold query returns the same rows as before. By default the original tasks
are kept, too. Only a training split is renamed.

Limitation: the words of a question are replaced one by one. Some sound odd, and a few stay as they
were, where the question does not call a table by its name.
"""

import argparse
import csv
import io
import json
import random
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlglot.errors import SqlglotError

from environments.errors import DataError
from environments.records import Faults, read_list
from environments.sql.mistakes.tokens import names_replaced
from environments.sql.names import named, quoted
from environments.sql.tasks.formats import bird_databases, data_folder

THINGS = tuple(
    re.findall(
        r"\w+",
        """
actor album anchor apple badge banner barrel basket beacon bottle bridge broker bucket button
cabin camera candle canoe captain carpet castle chair chapel circle client clinic clock coach coin
colony contract course curtain dancer dealer desk device diver doctor donor door driver drum
editor engine envoy farmer ferry filter flag forest fountain garden gardener guard guest hammer
harbor helmet hotel house insect island jacket journal journey judge kettle kitchen knight ladder
lamp lawyer league lecture lesson letter lodge machine manager market meadow meeting merchant
miner mirror monument motor mountain needle network nurse office painter parade parcel park patent
patient pillow pilot pirate planet player poem pocket prize project pump puppet race ranger
reactor region report river robot rocket room sailor school scout seller sensor session signal
singer slogan soldier speaker spider stadium statue store student survey tailor target teacher
temple tenant ticket tower tractor trader trail tunnel tutor valley vendor vessel village voyage
wagon warrior window winner wizard writer
""",
    )
)
"""What a table may become."""

OTHERS = {
    "full": ("full", "complete", "long"),
    "id": ("id", "id", "no", "key", "code"),
    "number": ("number", "no"),
    "on": ("on", "date", "day"),
}
"""What else is drawn for a word of a name; questions keep theirs."""

Spelling = Callable[[list[str]], str]


PLURAL = 0.7
"""How often tables are called by the plural of what they hold."""


def _pascal(words: list[str]) -> str:
    return "".join(word.capitalize() for word in words)


def _camel(words: list[str]) -> str:
    return words[0] + _pascal(words[1:])


SPELLINGS: tuple[Spelling, ...] = ("_".join, "_".join, _pascal, _camel, "".join)
"""From words to a name; the commonest counts twice."""


@dataclass(frozen=True, slots=True)
class Renaming:
    """words: lower-case words of questions and names, to their new ones.   names: of tables and
    columns, lower-case, to the new ones."""

    words: Mapping[str, str]
    names: Mapping[str, str]

    def question(self, text: str) -> str:
        """A question under the new names."""
        return re.sub(r"[A-Za-z]+", lambda found: self._word(found[0]), text)

    def evidence(self, text: str) -> str:
        """A hint: what stands after "refers to" may be names as well."""
        parts = re.split(r"(refers to [^;]*)", text)
        return "".join(
            self.question(re.sub(r"\w+", lambda name: self._name(name[0]), part))
            if part.startswith("refers to")
            else self.question(part)
            for part in parts
        )

    def _word(self, word: str) -> str:
        new = self.words.get(word.lower(), word)
        return new.capitalize() if word[0].isupper() and new != word else new

    def _name(self, name: str) -> str:
        return self.names.get(name, name)


def draw(tables: Mapping[str, Iterable[str]], said: str, chance: random.Random) -> Renaming:
    """A renaming of a database. tables: their columns.   said: about it; no table becomes a thing
    that is already spoken of."""
    columns = {column for each in tables.values() for column in each}
    spoken = set(re.findall(r"[a-z]+", f"{said} {' '.join([*tables, *columns])}".lower()))
    things = [thing for thing in THINGS if not spoken & {thing, _many(thing)}]
    chance.shuffle(things)
    nouns = sorted({_one(word) for table in tables for word in table.lower().split("_")})
    words: dict[str, str] = {}
    for noun, thing in zip(nouns, things, strict=False):  # what is left over keeps its name
        words |= {noun: thing, _many(noun): _many(thing)}
    parts_of = {part for name in columns for part in name.lower().split("_")}
    other = {word: chance.choice(_others(word)) for word in sorted(parts_of)} | words
    spell, plural = chance.choice(SPELLINGS), chance.random() < PLURAL
    names: dict[str, str] = {}
    for name in sorted({*tables, *columns}):
        parts = [other.get(part, part) for part in name.lower().split("_")]
        if name in tables and not plural:
            parts = [_one(part) for part in parts]
        new = spell(parts)
        taken = {one.lower() for one in names.values()}
        names[name.lower()] = new if new.lower() not in taken else name
    return Renaming(words, names)


def _others(word: str) -> tuple[str, ...]:
    """What a word of a column's name may become."""
    if word.endswith("ed") and len(word) > 4:  # a name need not be spelled well: it is read
        return word, word[:-1], word[:-2], f"{word[:-2]}s"
    return OTHERS.get(word, (word,))


def _one(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _many(word: str) -> str:
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(s|x|ch|sh)$", word) else "s")


@dataclass(frozen=True)
class Wanted:
    """What to write: `copies` of each database, and the `originals`; of each at most `per_database`
    tasks, other ones of each copy (0 for all)."""

    copies: int
    seed: int = 0
    originals: bool = True
    per_database: int = 0


def rename(source: Path, split: str, target: Path, wanted: Wanted) -> int:
    """Write copies of a split under other names into `target`; how many tasks there are.

    source: a folder in BIRD's layout.

    Raises:
        DataError: it is malformed, or a database cannot be renamed (a broken view, a name that
            is taken).
    """
    read = read_list(source / f"{split}.json", Faults(strict=True))
    records = [record.fields for record in read]
    databases = bird_databases(source, split)
    made: list[dict[str, Any]] = []
    for number in range(0 if wanted.originals else 1, wanted.copies + 1):
        for group in sorted({str(record["db_id"]) for record in records}):
            own = [record for record in records if record["db_id"] == group]
            new = f"{group}_{number}" if number else group
            if 0 < wanted.per_database < len(own):
                own = random.Random(f"{wanted.seed} tasks {new}").sample(own, wanted.per_database)
            folder = target / f"{split}_databases" / new
            shutil.copytree(databases / group, folder)
            (folder / f"{group}.sqlite").rename(folder / f"{new}.sqlite")
            if number:
                chance = random.Random(f"{wanted.seed} {new}")
                try:
                    own = _renamed(own, folder / f"{new}.sqlite", chance)
                except sqlite3.Error as error:
                    raise DataError(f"{databases / group}: cannot be renamed: {error}") from error
            for record in own:
                made.append({**record, "db_id": new, "question_id": len(made)})
    (target / f"{split}.json").write_text(json.dumps(made, indent=1), "utf-8")
    return len(made)


def _renamed(
    records: list[dict[str, Any]], database: Path, chance: random.Random
) -> list[dict[str, Any]]:
    """The records whose queries bring what they brought before; `database` is changed."""
    connection = sqlite3.connect(database)
    try:
        before = [_rows(connection, record["SQL"]) for record in records]
        tables = _tables(connection)
        said = " ".join(f"{record['question']} {record.get('evidence')}" for record in records)
        new = draw(tables, said, chance)
        _alter(connection, tables, new)
        kept = []
        for record, rows in zip(records, before, strict=True):
            sql = _written(record["SQL"], new)
            if sql and rows is not None and _rows(connection, sql) == rows:
                told = {
                    "question": new.question(record["question"]),
                    "evidence": new.evidence(record.get("evidence") or ""),
                }
                kept.append({**record, **told, "SQL": sql})
    finally:
        connection.close()
    _rename_notes(database.parent / "database_description", new)
    return kept


def _written(sql: str, new: Renaming) -> str:
    """A query under the new names; "" where it cannot be read."""
    try:
        return names_replaced(sql, {old: named(name) for old, name in new.names.items()})
    except SqlglotError:
        return ""


def _rows(connection: sqlite3.Connection, sql: str) -> list[Any] | None:
    try:
        return sorted(connection.execute(sql).fetchall(), key=repr)
    except sqlite3.Error:
        return None


def _tables(connection: sqlite3.Connection) -> dict[str, list[str]]:
    listed = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    return {
        name: [
            row[1]
            for row in connection.execute(f"PRAGMA table_xinfo({quoted(name)})")
            if row[6] != 1  # a virtual table's hidden column, which cannot be renamed
        ]
        for (name,) in connection.execute(listed).fetchall()
    }


def _alter(
    connection: sqlite3.Connection, tables: Mapping[str, Iterable[str]], new: Renaming
) -> None:
    """Twice, by way of names that nothing has: SQLite refuses one that differs by its case only."""
    for table, columns in tables.items():
        for column in columns:
            for old, name in ((column, f"{column}__"), (f"{column}__", new.names[column.lower()])):
                connection.execute(f'ALTER TABLE "{table}" RENAME COLUMN "{old}" TO "{name}"')
    for table in tables:
        connection.execute(f'ALTER TABLE "{table}" RENAME TO "{table}__"')
    for table in tables:
        connection.execute(f'ALTER TABLE "{table}__" RENAME TO "{new.names[table.lower()]}"')
    connection.commit()


def _rename_notes(folder: Path, new: Renaming) -> None:
    for file in sorted(folder.glob("*.csv")):
        rows = list(csv.reader(io.StringIO(file.read_text("utf-8-sig"), newline="")))
        for row in rows[1:]:
            row[0] = new.names.get(row[0].strip().lower(), row[0])
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        file.unlink()
        file.with_stem(new.names.get(file.stem.lower(), file.stem)).write_text(text.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", type=Path, help="the folder to write; it is emptied first")
    parser.add_argument("--data", help="a folder in BIRD's layout")
    parser.add_argument("--copies", type=int, default=3, help="copies of each database")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-copies", action="store_true", help="leave the original tasks out")
    parser.add_argument("--per-database", type=int, default=0, help="tasks of each; 0 for all")
    chosen = parser.parse_args()
    shutil.rmtree(chosen.target, ignore_errors=True)
    chosen.target.mkdir(parents=True)
    wanted = Wanted(chosen.copies, chosen.seed, not chosen.only_copies, chosen.per_database)
    tasks = rename(data_folder(chosen.data), "train", chosen.target, wanted)
    print(f"{tasks} tasks in {chosen.target}")


if __name__ == "__main__":
    main()
