"""Questions and pages: HotpotQA's own file, or a folder with `questions.jsonl` and `corpus.jsonl`.

HotpotQA's file is a JSON list of records with `_id`, `question`, `answer`, `supporting_facts`
(title and number of the sentence) and `context` (title and sentences); the corpus is the contexts
of all records. In a folder, `corpus.jsonl` has `title` and `sentences`, and questions have no
`context`. Questions may have `split`, `group` and `type`.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from environments.errors import DataError
from environments.records import BadRecord, Faults, Record, make_tasks, read_records
from environments.search_qa.corpus import Corpus, Page
from environments.types import Task

BUNDLED = Path(__file__).parent / "data"
"""The folder of the bundled questions."""

Support = tuple[str, int]
"""The title of a page, and which of its sentences."""


def read_data(path: Path, faults: Faults) -> tuple[list[Task], Corpus]:
    """Return the tasks and the corpus of a file of HotpotQA's, or of a folder.

    Raises:
        DataError: a file cannot be read, or no record makes a task.
    """
    if path.is_dir():
        records = read_records(path / "questions.jsonl", faults)
        corpus = Corpus(_own_pages(read_records(path / "corpus.jsonl", faults), faults))
    else:
        records = read_records(path, faults)
        corpus = Corpus(page for record in records for page in _contexts(record, faults))
    if not len(corpus):
        raise DataError(faults.first() or f"{path}: holds no page to search")
    return make_tasks(records, lambda record: _task(record, faults), faults), corpus


def answer_of(task: Task) -> str:
    """Return the gold answer of a task."""
    answer: str = task.secret["answer"]
    return answer


def supports_of(task: Task) -> list[Support]:
    """Return the sentences that the answer follows from."""
    return [(support["title"], support["sentence"]) for support in task.secret["supports"]]


def _task(record: Record, faults: Faults) -> Task:
    """Return the task of a question. The right pages show its answer and the titles."""
    supports = _supports(record)
    titles = sorted({title for title, _ in supports})
    name = "_id" if "_id" in record.fields else "id"
    return Task(
        record.id(name, faults),
        record.text("question"),
        secret={
            "answer": record.text("answer").strip(),
            "supports": [{"title": title, "sentence": number} for title, number in supports],
        },
        findable=("answer", "supports.title"),
        tags={name: text for name in ("type", "level") if (text := record.maybe(name))},
        group=record.maybe("group") or " & ".join(titles) or record.text("question"),
        split=record.maybe("split"),
    )


def _supports(record: Record) -> list[Support]:
    facts = record.fields.get("supporting_facts") or []
    if not isinstance(facts, list) or not all(map(_is_support, facts)):
        why = "field 'supporting_facts' must be pairs of a title and the number of a sentence"
        raise BadRecord(record.place, why)
    return [(title, number) for title, number in facts]


def _is_support(fact: Any) -> bool:
    return (
        isinstance(fact, list)
        and len(fact) == 2
        and isinstance(fact[0], str)
        and type(fact[1]) is int
    )


def _contexts(record: Record, faults: Faults) -> Iterator[Page]:
    found = record.fields.get("context")
    pairs = found if isinstance(found, list) else [None]
    for pair in pairs:
        if isinstance(pair, list) and len(pair) == 2 and _is_page(*pair):
            yield _page(*pair)
        else:
            why = "field 'context' must be pairs of a title and a list of sentences"
            faults.add(record.place, why, "searched without it")


def _own_pages(records: Sequence[Record], faults: Faults) -> Iterator[Page]:
    for record in records:
        try:
            title, sentences = record.text("title"), record.texts("sentences", needed=True)
            yield _page(title, sentences)
        except BadRecord as bad:
            faults.add(bad.place, bad.why)


def _is_page(title: Any, sentences: Any) -> bool:
    return (
        isinstance(title, str)
        and bool(title.strip())
        and isinstance(sentences, list)
        and all(isinstance(sentence, str) for sentence in sentences)
    )


def _page(title: str, sentences: Sequence[str]) -> Page:
    return Page(title, tuple(sentence.strip() for sentence in sentences))
