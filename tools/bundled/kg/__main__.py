"""Write the questions of the bundled graph: `python -m tools.bundled.kg`."""

import json

from environments.kg.data_files import BUNDLED, QUESTIONS, WORDS, read_graph, read_words
from environments.kg.generate import generate
from environments.records import Faults

WANTED = {"train": 40, "test": 15}
"""Questions of each of the four kinds."""


def questions() -> str:
    """Return the file's content; the same triples give the same bytes."""
    graph = read_graph(BUNDLED / "triples.tsv", Faults(strict=True))
    made = generate(graph, read_words(BUNDLED / WORDS), WANTED)
    lines = [
        {
            "id": each.id,
            "question": each.text,
            "entities": each.entities,
            "program": each.program,
            "answers": each.answers,
            "kind": each.kind,
            "group": each.group,
            "split": each.split,
        }
        for each in made
    ]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


if __name__ == "__main__":
    (BUNDLED / QUESTIONS).write_text(questions(), "utf-8")
