"""The knowledge graph: the agent finds the answers to a question by following relations.

The tools are those of AgentBench's knowledge graph (Liu et al. 2023, arXiv:2308.03688), with
arguments in JSON, over a graph of ours or of the user's. Differences: a variable's entities are
shown (the first ten), since a graph's entities have names here, not numbers; a tool follows
relations backwards under a name of their own ("capital of").
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from environments.base import Outcome, ToolEnv
from environments.demonstrable import LONGEST_ANSWER
from environments.errors import DataError
from environments.kg import demonstration
from environments.kg.calls import ARGUMENTS, Slip, Value, answers_of, run, value_of
from environments.kg.data_files import (
    BUNDLED,
    QUESTIONS,
    WORDS,
    read_graph,
    read_tasks,
    read_words,
    triples_file,
)
from environments.kg.generate import generate
from environments.kg.graph import Graph
from environments.kg.tasks import program_of, task_of
from environments.kg.thoughts import thought
from environments.kg.words import Words
from environments.records import Faults, of_split, stamp
from environments.tools import GIVE_UP, Tool, text_arguments
from environments.types import Action, Step, Task

SET = "a variable like #0, or an entity that the question names"
ATTRIBUTE = "an attribute that get_attributes told"
TOOLS = (
    Tool("get_relations", "List the relations of a set of entities.", text_arguments(variable=SET)),
    Tool(
        "get_neighbors",
        "Follow a relation from a set of entities to a new set.",
        text_arguments(variable=SET, relation="a relation that get_relations told"),
    ),
    Tool(
        "intersection",
        "Make the set of the entities that are in both sets.",
        text_arguments(variable=SET, other=SET),
    ),
    Tool(
        "get_attributes",
        "List the attributes of a set, which are numbers.",
        text_arguments(variable=SET),
    ),
    Tool(
        "argmax",
        "Make the set of the entities with the largest value.",
        text_arguments(variable=SET, attribute=ATTRIBUTE),
    ),
    Tool(
        "argmin",
        "Make the set of the entities with the smallest value.",
        text_arguments(variable=SET, attribute=ATTRIBUTE),
    ),
    Tool("count", "Make a variable with the number of entities.", text_arguments(variable=SET)),
    Tool(
        demonstration.ANSWER,
        "Answer with what a variable holds. This ends the task.",
        text_arguments(variable="a variable like #0"),
    ),
)
WANTED = {"train": 30, "test": 10}
"""Questions of each kind that are made for a graph without any."""


class KgEnv(ToolEnv):
    """Questions over a knowledge graph.

    Args:
        data: file of triples, or folder with `triples.tsv` and `questions.jsonl`; None for the
            bundled graph.
        split: "train" or "test"; None for train, and for all questions of a file of the user's.
        sandbox: not used.
    """

    instant = True
    branching = "a value"
    maker = "environments.kg.make:KgMaker"
    tools = (*TOOLS, GIVE_UP)
    instructions = (
        "You answer a question over a knowledge graph. Start from the entities that the question "
        "names. Each call that finds entities, or counts them, makes a variable: #0, #1, and so "
        "on. Ask for the relations of a set before you follow one; a relation that ends in 'of' "
        "leads back. Then call answer, once, with the variable that holds all the answers and "
        "nothing else. What is right is what the graph says, even where it is old."
    )

    def __init__(
        self, *, data: str | None = None, split: str | None = None, sandbox: str = "auto"
    ) -> None:
        super().__init__(data=data, split=split, sandbox=sandbox)
        self._variables: tuple[Value, ...] = ()
        self._loaded: Graph | None = None

    @property
    def graph(self) -> Graph:
        """The graph; read on first use."""
        if self._loaded is None:
            file = triples_file(self._path)
            self._loaded = _read(file, stamp(file), self.strict)
        return self._loaded

    @property
    def words(self) -> dict[str, Words]:
        """The words for the graph's relations."""
        return read_words(self._path / WORDS)

    @property
    def _path(self) -> Path:
        return Path(self.data) if self.data else BUNDLED

    def load_tasks(self) -> Sequence[Task]:
        """See `ToolEnv.load_tasks`."""
        split = self.split or ("train" if self.data is None else None)
        return of_split(self._all_tasks(), split, self._path)

    def _all_tasks(self) -> list[Task]:
        if (file := self._path / QUESTIONS).is_file():
            faults = Faults(self.strict)
            found = read_tasks(file, self.graph, faults)
            faults.report()
            return found
        made = generate(self.graph, self.words, WANTED)
        if not made:
            raise DataError(f"{self._path}: too small a graph to make questions of; write some")
        return [task_of(each) for each in made]

    def begin(self, task: Task) -> None:
        """See `ToolEnv.begin`."""
        self._variables = ()

    def save(self) -> tuple[Value, ...]:
        """See `ToolEnv.save`."""
        return self._variables

    def load(self, state: tuple[Value, ...]) -> None:
        """See `ToolEnv.load`."""
        self._variables = state

    def act(self, action: Action) -> Outcome:
        """See `ToolEnv.act`."""
        assert self.task is not None
        try:
            if action.tool == demonstration.ANSWER:
                return _graded(self.task, value_of(self._variables, action.arguments["variable"]))
            given = (action.arguments[name] for name in ARGUMENTS[action.tool])
            result = run(self.graph, self._variables, (action.tool, *given))
        except Slip as slip:
            return Outcome.slip(slip.kind, slip.message)
        if result.value is not None:
            self._variables = (*self._variables, result.value)
        return Outcome(result.text)

    def solution(self, task: Task) -> list[Action] | None:
        """See `Demonstrable.solution`; None for a question that came without a program."""
        program = program_of(task)
        return demonstration.solution(program) if program else None

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        """See `Demonstrable.mistakes`."""
        program = program_of(task)
        return demonstration.mistakes(self.graph, program, action) if program else []

    def thought(self, task: Task, path: Sequence[Step], action: Action) -> str:
        """See `Demonstrable.thought`."""
        return thought(task, path, action)

    def told(self, path: Sequence[Step]) -> str:
        """See `Demonstrable.told`: what the answer's variable holds."""
        start = f"{path[-1].action.arguments.get('variable', '')} = " if path else ""
        lines = (line for step in reversed(path) for line in step.observation.splitlines())
        found = next((line for line in lines if start and line.startswith(start)), "")
        text = found.removeprefix(start).removeprefix("the number ")
        return text if len(text) <= LONGEST_ANSWER else ""

    def recover(self, task: Task, path: Sequence[Step]) -> Action | None:
        """See `Demonstrable.recover`."""
        program = program_of(task)
        return demonstration.next_step(self.graph, program, path) if program else None


def _graded(task: Task, value: Value) -> Outcome:
    """End the task: the reward is 1 for exactly the right answers; `info` holds F1."""
    given, right = set(answers_of(value)), set(task.secret["answers"])
    f1 = 2 * len(given & right) / (len(given) + len(right))
    return Outcome("answer submitted", float(given == right), terminated=True, info={"f1": f1})


@lru_cache(maxsize=2)
def _read(file: Path, stamped: object, strict: bool) -> Graph:
    """Return a graph; once for all environments while the file is the same."""
    faults = Faults(strict)
    graph = read_graph(file, faults)
    faults.report()
    return graph
