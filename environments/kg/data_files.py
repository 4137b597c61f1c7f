"""The files of a graph: its triples, and optionally its questions and the words for its relations.

A user's data is one file of triples, or a folder with `triples.tsv` (or `.csv`, `.jsonl`) and,
optional, `questions.jsonl` and `words.json`. The bundled graph is such a folder.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from environments.errors import DataError
from environments.kg.calls import ARGUMENTS, Call, Slip, answers_of, play
from environments.kg.generate import Question, path_of, topics
from environments.kg.graph import Graph, Triple
from environments.kg.tasks import task_of
from environments.kg.words import Words
from environments.records import BadRecord, Faults, Record, make_tasks, read_records
from environments.types import Task
from treegraft.file_errors import FileError
from treegraft.text_files import read_text

BUNDLED = Path(__file__).parent / "data"
"""The bundled graph's folder."""
FORMS = ("tsv", "csv", "jsonl")
FIELDS = ("subject", "relation", "object")
QUESTIONS, WORDS = "questions.jsonl", "words.json"


def triples_file(path: Path) -> Path:
    """Return the file of triples that `path` is, or holds; raise `DataError` if there is none."""
    if not path.is_dir():
        return path
    for form in FORMS:
        if (file := path / f"triples.{form}").is_file():
            return file
    raise DataError(f"{path}: holds no file of triples; name one triples.tsv, .csv or .jsonl")


def read_graph(path: Path, faults: Faults) -> Graph:
    """Return the graph of a file of triples.

    Raises:
        DataError: it cannot be read, or holds no triple.
    """
    rows = _records(path, faults) if ".jsonl" in path.suffixes else _rows(path, faults)
    triples = dict.fromkeys(rows)
    if not triples:
        raise DataError(faults.first() or f"{path}: holds no triple")
    graph = Graph(triples)
    if not graph.relations:
        raise DataError(f"{path}: holds numbers only; a relation leads from an entity to another")
    return graph


def read_words(path: Path) -> dict[str, Words]:
    """Return the words for relations; none if there is no such file.

    Raises:
        DataError: it is not an object of lists of four texts.
    """
    if not path.is_file():
        return {}
    try:
        found = json.loads(read_text(path))
        return {relation: Words(*texts) for relation, texts in found.items()}
    except FileError as error:
        raise DataError(str(error)) from error
    except (ValueError, TypeError, AttributeError) as error:
        form = '{"RELATION": ["country", "countries", "whose X is {}", "whose X is one of {}"]}'
        raise DataError(f"{path}: must be like {form} ({error})") from error


def read_tasks(path: Path, graph: Graph, faults: Faults) -> list[Task]:
    """Return the tasks of a file of questions; a bad one is left out, and told.

    Raises:
        DataError: it cannot be read, or holds no question.
    """
    records = read_records(path, faults)
    return make_tasks(records, lambda record: task_of(_question(record, graph, faults)), faults)


def _rows(path: Path, faults: Faults) -> Iterator[Triple]:
    try:
        lines = read_text(path).split("\n")
    except FileError as error:
        raise DataError(str(error)) from error
    is_csv = path.suffix == ".csv"
    reader = csv.reader(
        lines,
        delimiter="," if is_csv else "\t",
        quoting=csv.QUOTE_MINIMAL if is_csv else csv.QUOTE_NONE,
    )
    try:
        for row in reader:
            texts = [text.strip() for text in row]
            if not any(texts) or (reader.line_num == 1 and tuple(map(str.lower, texts)) == FIELDS):
                continue
            if why := _trouble(texts):
                faults.add(f"{path}: line {reader.line_num}", why)
            else:
                yield texts[0], texts[1], texts[2]
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from error


def _trouble(texts: Sequence[str]) -> str:
    """Return why texts are no triple; "" if they are one."""
    if len(texts) != len(FIELDS):
        return f"must be subject, relation and object, not {len(texts)} fields"
    if not all(texts):
        return "a field is empty"
    return "a name begins with '#', as variables do" if any(t[0] == "#" for t in texts) else ""


def _records(path: Path, faults: Faults) -> Iterator[Triple]:
    for record in read_records(path, faults):
        try:
            value = record.fields.get("object")
            is_number = type(value) in (int, float)
            object = json.dumps(value) if is_number else record.text("object").strip()
            subject, relation = record.text("subject").strip(), record.text("relation").strip()
            if why := _trouble([subject, relation, object]):
                raise BadRecord(record.place, why)
            yield subject, relation, object
        except BadRecord as bad:
            faults.add(bad.place, bad.why)


def _question(record: Record, graph: Graph, faults: Faults) -> Question:
    program = _program(record)
    answers = tuple(record.texts("answers", needed=not program))
    if program:
        answers = _checked(record, graph, program, answers)
    entities = tuple(record.texts("entities", needed=not program)) or topics(program)
    for entity in entities:
        if entity not in graph:
            raise BadRecord(record.place, f"no entity {entity!r} in the graph")
    return Question(
        record.id("id", faults),
        record.text("question"),
        entities,
        answers,
        program,
        record.maybe("kind"),
        record.maybe("group") or (path_of(program) if program else " & ".join(sorted(entities))),
        record.maybe("split"),
    )


def _checked(
    record: Record, graph: Graph, program: Sequence[Call], answers: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what a program answers; raise `BadRecord` if that is not what the record says."""
    try:
        found = answers_of(play(graph, program)[-1])
    except Slip as slip:
        raise BadRecord(record.place, f"its program fails: {slip.message}") from slip
    if answers and set(answers) != set(found):
        raise BadRecord(record.place, "its program has other answers than 'answers'")
    return tuple(found)


def _program(record: Record) -> tuple[Call, ...]:
    calls = record.fields.get("program") or []
    if not isinstance(calls, list) or not all(map(_is_call, calls)):
        why = 'field \'program\' must be calls, each a list like ["get_neighbors", "#0", "capital"]'
        raise BadRecord(record.place, why)
    return tuple(map(tuple, calls))


def _is_call(value: Any) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        return False
    return len(value) == 1 + len(ARGUMENTS.get(value[0], value))
