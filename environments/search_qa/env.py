"""Search QA: the agent searches a corpus, reads pages, and answers a multi-hop question.

The tools are those of ReAct's Wikipedia (Yao et al. 2022, arXiv:2210.03629), which FireAct's agents
use, too, over a corpus that comes with the questions: `search` opens the page that the query names,
or else the best by BM25, and names other pages; `lookup` shows the next sentence of the open page
with a text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from environments.base import Outcome, ToolEnv
from environments.records import Faults, of_split, stamp
from environments.search_qa import demonstration
from environments.search_qa.corpus import Corpus
from environments.search_qa.data_files import BUNDLED, answer_of, read_data, supports_of
from environments.search_qa.demonstration import SHOWN
from environments.search_qa.grading import exact_match, f1
from environments.search_qa.thoughts import thought
from environments.tools import GIVE_UP, Tool, text_arguments
from environments.types import Action, Step, Task

FOUND = 5
"""Pages that a search finds: the first is opened, the others are named."""

EVIDENCE = "An answer counts only if you have opened every page that it follows from."

SEARCH = Tool(
    "search",
    "Open the page that fits best, and name other pages; shows its first sentences.",
    text_arguments(query="the title of a page, or a few words of it"),
)
LOOKUP = Tool(
    "lookup",
    "Show the next sentence of the open page with a text; the same text again shows the next.",
    text_arguments(text="a word or a phrase of the page"),
)
FINISH = Tool(
    "finish",
    "Answer the question. This ends the task.",
    text_arguments(answer="the answer alone: a name, a number, yes or no"),
)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The open page ("" before the first), and where the last lookup stopped in it.

    Attributes:
        opened: all pages that were opened; kept only where they count.
    """

    title: str = ""
    text: str = ""
    shown: int = 0
    opened: frozenset[str] = frozenset()


class SearchQaEnv(ToolEnv):
    """Multi-hop questions over a corpus of short pages.

    Args:
        data: HotpotQA's JSON file, or a folder with `questions.jsonl` and `corpus.jsonl`; None for
            the bundled questions.
        split: "train" or "test"; None for train, and for all questions of the user's.
        sandbox: not used.
        evidence: whether an answer earns only after the pages that it follows from were opened, so
            that a guess earns nothing.
    """

    instant = True
    branching = "a value"
    tools = (SEARCH, LOOKUP, FINISH, GIVE_UP)
    instructions = (
        "You answer a question from the pages of a corpus. Mostly it takes several pages: search "
        "for one, read it, and search for the next that it names. A search shows the first "
        "sentences of a page only; lookup shows others. Call finish, once, with the answer alone, "
        "as the pages write it. What is right is what the pages say, even where it is old."
    )

    def __init__(
        self,
        *,
        data: str | None = None,
        split: str | None = None,
        sandbox: str = "auto",
        evidence: bool = False,
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._evidence = evidence
        if evidence:
            self.instructions = f"{self.instructions} {EVIDENCE}"
        self._loaded: tuple[list[Task], Corpus] | None = None
        self._cursor = Cursor()

    @property
    def _data(self) -> tuple[list[Task], Corpus]:
        if self._loaded is None:
            self._loaded = _read(self._path, stamp(self._path), self.strict)
        return self._loaded

    @property
    def _path(self) -> Path:
        return Path(self.data) if self.data else BUNDLED

    @property
    def corpus(self) -> Corpus:
        """The pages; read on first use."""
        return self._data[1]

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        split = self.split or ("train" if self.data is None else None)
        return of_split(self._data[0], split, self._path)

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._cursor = Cursor()

    def save(self) -> Cursor:
        """See `ToolEnv.save`."""
        return self._cursor

    def load(self, state: Cursor) -> None:
        """See `ToolEnv.load`."""
        self._cursor = state

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        match action.tool:
            case "search":
                return self._search(action.arguments["query"])
            case "lookup":
                return self._lookup(action.arguments["text"])
            case _:
                return self._graded(self.task, action.arguments["answer"])

    def _graded(self, task: Task, answer: str) -> Outcome:
        gold = answer_of(task)
        right, info = exact_match(answer, gold), {"f1": f1(answer, gold)}
        if self._evidence:
            needed = {title for title, _ in supports_of(task) if title in self.corpus}
            info["unread"] = len(needed - self._cursor.opened)
            right = right and needed <= self._cursor.opened
        return Outcome("answer submitted", float(right), terminated=True, info=info)

    def _search(self, query: str) -> Outcome:
        titles = self.corpus.search(query, FOUND)
        if not titles:
            return Outcome.slip("nothing_found", f"no page has a word of {query[:100]!r}")
        first, *others = titles
        opened = self._cursor.opened | {first} if self._evidence else frozenset()
        self._cursor = Cursor(first, opened=opened)
        sentences = self.corpus[first].sentences
        left = len(sentences) - SHOWN
        lines = [f"Page: {first}", " ".join(sentences[:SHOWN])]
        lines += [f"({left} more sentence{'s' if left > 1 else ''})"] if left > 0 else []
        lines += [f"Other pages: {'; '.join(others)}"] if others else []
        return Outcome("\n".join(lines))

    def _lookup(self, text: str) -> Outcome:
        if not self._cursor.title:
            return Outcome.slip("no_page", "no page is open; call search first")
        wanted = text.strip().casefold()
        if not wanted:
            return Outcome.slip("bad_arguments", "the text to look up is empty")
        sentences = self.corpus[self._cursor.title].sentences
        found = [sentence for sentence in sentences if wanted in sentence.casefold()]
        if not found:
            return Outcome(f"no sentence of {self._cursor.title} has {text[:100]!r}")
        shown = self._cursor.shown if wanted == self._cursor.text else 0
        if shown == len(found):
            return Outcome(f"no more sentences of {self._cursor.title} have {text[:100]!r}")
        self._cursor = replace(self._cursor, text=wanted, shown=shown + 1)
        return Outcome(f"({shown + 1} of {len(found)}) {found[shown]}")

    def solution(self, task: Task) -> list[Action]:
        """See `Demonstrable.solution`."""
        return demonstration.solution(task, self.corpus)

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`."""
        return thought(task, path, action)

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`."""
        return demonstration.mistakes(task, self.corpus, action)


@lru_cache(maxsize=2)
def _read(path: Path, files: object, strict: bool) -> tuple[list[Task], Corpus]:
    """Return tasks and corpus; once for all environments while the `files` are the same."""
    faults = Faults(strict)
    found = read_data(path, faults)
    faults.report()
    return found
