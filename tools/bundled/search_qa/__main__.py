"""Rewrite the bundled pages and questions: `python -m tools.bundled.search_qa`."""

import json
from random import Random
from typing import Any

from environments.kg.data_files import BUNDLED as GRAPH
from environments.kg.data_files import read_graph, triples_file
from environments.records import Faults
from environments.search_qa.data_files import BUNDLED
from tools.bundled.search_qa.pages import pages
from tools.bundled.search_qa.questions import Facts, questions


def texts() -> dict[str, str]:
    """Return the files' contents by name; the same graph gives the same bytes."""
    graph = read_graph(triples_file(GRAPH), Faults(strict=True))
    facts = Facts(graph)
    made = list(questions(graph))
    Random(0).shuffle(made)
    records = [
        {
            "_id": f"{form.split}-{number}",
            "question": asked.text,
            "answer": asked.answer,
            "type": form.kind,
            "group": form.name,
            "split": form.split,
            "supporting_facts": [
                [entity, facts.sentence(entity, relation)] for entity, relation in asked.facts
            ],
        }
        for number, (form, asked) in enumerate(made)
    ]
    corpus = [{"title": each.title, "sentences": each.sentences} for each in pages(graph)]
    return {"questions.jsonl": _lines(records), "corpus.jsonl": _lines(corpus)}


def _lines(records: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


if __name__ == "__main__":
    for name, text in texts().items():
        (BUNDLED / name).write_text(text, "utf-8")
