"""Makes questions over the graph; see `environments.task_making`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any

from environments.kg.calls import ARGUMENTS, Call, Slip, Value, answers_of, play
from environments.kg.env import KgEnv
from environments.kg.generate import (
    MOST_ANSWERS,
    Question,
    generate,
    is_held_out,
    path_of,
    split_of,
    topics,
)
from environments.kg.tasks import program_of, task_of
from environments.task_making import AMBIGUOUS, Doubt, NotATask, Scene, TaskMaker, text_field
from environments.types import Task

ROUND = 8
"""Questions of each kind that are drawn first; then twice as many, and so on."""
ROUNDS = 6
SPLITS = ("train", "test")
SHOWN = 25
"""Triples that a scene shows."""


class KgMaker(TaskMaker):
    """Random paths over the graph, in words; or questions with programs that a model writes."""

    env: KgEnv
    form = (
        '{"question": a question that names its entities as the graph does, "program": a list of '
        'calls, each a list of the tool\'s name and its arguments, such as ["get_neighbors", '
        '"France", "capital"]; "#0" is the result of the first call; the last call\'s result is '
        "the answer}"
    )

    def __init__(self, env: KgEnv) -> None:
        super().__init__(env)
        self._split = env.tasks[0].split

    def by_rules(self, seed: int) -> Iterator[Task]:
        """See `TaskMaker.by_rules`."""
        splits = [self._split] if self._split in SPLITS else SPLITS
        seen = set[str]()
        for turn in range(ROUNDS):
            wanted = dict.fromkeys(splits, ROUND << turn)
            made = generate(self.env.graph, self.env.words, wanted, 1 + seed * ROUNDS + turn)
            for question in made:
                if question.text not in seen:
                    seen.add(question.text)
                    yield self._task(question)

    def _task(self, question: Question) -> Task:
        task = task_of(question)
        return task if self._split in SPLITS else replace(task, split=self._split)

    def scene(self, random: Random) -> Scene:
        """See `TaskMaker.scene`: an entity of the split, and what is around it."""
        graph = self.env.graph
        ours = [each for each in graph if self._may_start(each)]
        entity = random.choice(ours)
        lines: list[str] = []
        todo, seen = [entity], {entity}
        for place in count():
            if place >= len(todo) or len(lines) >= SHOWN:
                break
            at = (todo[place],)
            for relation in graph.relations_of(at):
                ends = graph.neighbors(at, relation)
                lines.append(f"{at[0]} | {relation} | {', '.join(ends[:5])}")
                todo += [end for end in ends[:2] if end not in seen]
                seen.update(ends[:2])
            lines += [f"{at[0]} | {each} | (a number)" for each in graph.attributes_of(at)]
        text = f"Start from the entity {entity}. Around it:\n" + "\n".join(lines[: 2 * SHOWN])
        return Scene(text, split=self._split)

    def _may_start(self, entity: str) -> bool:
        return self._split not in SPLITS or is_held_out(entity) == (self._split == "test")

    def written(self, scene: Scene, fields: Mapping[str, Any]) -> Task:
        """See `TaskMaker.written`."""
        program = _program(fields.get("program"))
        try:
            values = play(self.env.graph, program)
        except (Slip, IndexError) as error:
            raise NotATask(f"its program fails: {getattr(error, 'message', error)}") from error
        if self._split in SPLITS and split_of(program) != self._split:
            raise NotATask(f"its entities or its path are not of the split {self._split!r} alone")
        answers = tuple(answers_of(values[-1]))
        if len(answers) > MOST_ANSWERS:
            raise NotATask(f"it has {len(answers)} answers, more than {MOST_ANSWERS}")
        question = Question(
            "",
            text_field(fields, "question"),
            topics(program),
            answers,
            program,
            program[-1][0],
            path_of(program),
            self._split,
        )
        return task_of(question)

    def example(self, task: Task) -> Mapping[str, Any] | None:
        """See `TaskMaker.example`."""
        program = program_of(task)
        return {"question": self.question(task), "program": program} if program else None

    def question(self, task: Task) -> str:
        """See `TaskMaker.question`."""
        return task.prompt.removeprefix("Question: ").partition("\nEntities: ")[0]

    def answers(self, task: Task) -> Sequence[str]:
        """See `TaskMaker.answers`."""
        return list(task.secret["answers"])

    def doubt(self, task: Task) -> Doubt | None:
        """See `TaskMaker.doubt`: a step that changes nothing, so that the question needs less."""
        program = program_of(task)
        if not program:
            return None
        values: list[Value] = play(self.env.graph, program)
        for number, value in enumerate(values[:-1]):
            if value == values[-1]:
                why = f"what follows {' '.join(program[number])} changes nothing"
                return Doubt(AMBIGUOUS, why)
        return None


def _program(value: Any) -> tuple[Call, ...]:
    if not isinstance(value, list) or not value or not all(map(_is_call, value)):
        raise NotATask(f"field 'program' must be a list of calls, not {value!r:.80}")
    return tuple(map(tuple, value))


def _is_call(value: Any) -> bool:
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        return False
    tool, *given = value
    return tool in ARGUMENTS and tool[:4] != "get_" or tool == "get_neighbors" and len(given) == 2
