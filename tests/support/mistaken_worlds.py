"""The usual mistakes of a world's author: each is one change of a small, sound world.

`MISTAKES` has for each the change and the line that the commands end with; `SOUND` has changes that
look like mistakes, and are none.
"""

from dataclasses import dataclass

WORLD = """
import random, time
from environments import GIVE_UP, NO_ARGUMENTS, Action, Outcome, Task, Tool, ToolEnv

DIGIT = {
    "type": "object",
    "properties": {"digit": {"type": "integer"}},
    "required": ["digit"],
    "additionalProperties": False,
}
CODES = (12, 34, 56)

class DoorEnv(ToolEnv):
    tools = (
        Tool("press", "Press one key.", DIGIT),
        Tool("turn", "Turn the handle. This ends the task.", NO_ARGUMENTS),
        GIVE_UP,
    )
    instructions = "Press the digits, then turn the handle."

    def load_tasks(self):
        return [Task(f"door-{n}", "Open.", {"code": n}, {"keys": []}, group=f"{n}") for n in CODES]

    def begin(self, task):
        self.pressed = []

    def save(self):
        return list(self.pressed)

    def load(self, state):
        self.pressed = list(state)

    def act(self, action):
        if action.tool == "press":
            self.pressed.append(action.arguments["digit"])
            return Outcome(f"pressed {self.pressed}")
        opens = self.pressed == self.code(self.task)
        return Outcome("open" if opens else "shut", float(opens), True)

    def code(self, task):
        return [int(digit) for digit in str(task.secret["code"])]

    def solution(self, task):
        presses = [Action("press", {"digit": digit}) for digit in self.code(task)]
        return [*presses, Action("turn", {})]

    def mistakes(self, task, action):
        return []
"""


@dataclass(frozen=True)
class Mistake:
    """A change of `WORLD`.

    Attributes:
        old: What is replaced; "" adds `new` at the end, and "*" replaces all.
        line: A part of the line that tells it.
    """

    old: str
    new: str
    line: str = ""

    @property
    def source(self) -> str:
        """The module with the mistake in it."""
        if self.old == "*":
            return self.new
        assert not self.old or WORLD.count(self.old) == 1, self.old
        return WORLD.replace(self.old, self.new) if self.old else f"{WORLD}\n{self.new}\n"


PRESSED = 'return Outcome(f"pressed {self.pressed}")'
ENDED = 'return Outcome("open" if opens else "shut", float(opens), True)'
SOLVED = 'return [*presses, Action("turn", {})]'
TASKS = (
    'return [Task(f"door-{n}", "Open.", {"code": n}, {"keys": []}, group=f"{n}") for n in CODES]'
)
TOOL = 'Tool("press", "Press one key.", DIGIT)'
WRONG = "return []"


def schema(parameters: str, line: str) -> Mistake:
    bad = "DoorEnv.tools holds the tool 'press' with a bad schema: "
    return Mistake(TOOL, f'Tool("press", "Press.", {parameters})', bad + line)


def named(name: str) -> Mistake:
    return Mistake(
        TOOL,
        f'Tool({name!r}, "Press.", DIGIT)',
        f"DoorEnv.tools holds a tool named {name!r}: chat ",
    )


def a_task(arguments: str, line: str) -> Mistake:
    return Mistake(TASKS, f"return [Task({arguments})]", f"DoorEnv.load_tasks returned {line}")


AROUND = 'write {"type": "object", "properties": {...}} around the arguments'
NO_OUTCOME = "not an Outcome: return Outcome(observation, reward, terminated)"
A_REWARD = ": a reward is a number from 0 to 1"
ONE_LINE = ": an id is one line of text without spaces around it"

MISTAKES = {
    "act returns text": Mistake(PRESSED, 'return "x"', f"DoorEnv.act returned a str, {NO_OUTCOME}"),
    "act returns None": Mistake(PRESSED, "return", f"DoorEnv.act returned None, {NO_OUTCOME}"),
    "act returns a tuple": Mistake(
        PRESSED, 'return "x", 0.0', f"DoorEnv.act returned a tuple of 2, {NO_OUTCOME}"
    ),
    "an async act returns text": Mistake(
        "", "    async def act(self, action): return 'x'", "DoorEnv.act returned a str, not an"
    ),
    **{
        f"reward {value}": Mistake(
            ENDED,
            f'return Outcome("x", {value}, True)',
            f"DoorEnv.act returned the reward {value}{A_REWARD}",
        )
        for value in ("None", "'1.0'", "5", "-1")
    },
    "reward NaN": Mistake(
        ENDED, 'return Outcome("x", float("nan"), True)', f"the reward nan{A_REWARD}"
    ),
    "terminated is text": Mistake(
        ENDED, 'return Outcome("x", 1.0, "no")', "returned 'no' as terminated: it is True or False"
    ),
    **{
        f"observation {value}": Mistake(
            PRESSED,
            f"return Outcome({value})",
            f"DoorEnv.act returned {kind} as the observation: an",
        )
        for value, kind in {"{'a': 1}": "a dict", "b'x'": "a bytes", "None": "None"}.items()
    },
    "info that is no JSON": Mistake(
        PRESSED,
        'return Outcome("x", info={"a": {1}})',
        "DoorEnv.act returned info that is not JSON",
    ),
    "info that is no dict": Mistake(PRESSED, 'return Outcome("x", info=None)', "but None: write a"),
    "act raises": Mistake(
        PRESSED,
        'raise KeyError("seat")',
        "DoorEnv.act raised KeyError in doors.py:36 act: 'seat'; answer",
    ),
    "act exits": Mistake(PRESSED, "raise SystemExit(3)", "DoorEnv.act raised SystemExit in doors"),
    "act takes other arguments": Mistake(
        "def act(self, action):", "def act(self, tool, action):", "DoorEnv.act() missing 1 required"
    ),
    "a random step": Mistake(
        PRESSED,
        "return Outcome(str(random.random()))",
        "; random numbers: draw them from random.Random(",
    ),
    "the clock": Mistake(PRESSED, "return Outcome(str(time.time()))", "; the clock: tell no times"),
    "no solution": Mistake("def solution(", "def solve(", "define DoorEnv.solution(task)"),
    "a solution of nothing": Mistake(
        SOLVED, "return []", "DoorEnv.solution returned no action: return"
    ),
    "a solution of dicts": Mistake(
        SOLVED, "return [{}]", "DoorEnv.solution returned a dict as action 1: write Action("
    ),
    "a solution that yields": Mistake(
        SOLVED,
        'yield Action("turn", {})',
        "DoorEnv.solution returned a generator: return a list of Action",
    ),
    "a solution raises": Mistake(
        SOLVED, 'raise KeyError("x")', "DoorEnv.solution raised KeyError in"
    ),
    "mistakes of None": Mistake(
        WRONG, "return None", "DoorEnv.mistakes returned None: return a list"
    ),
    "a type of Python's": schema(
        '{"type": "object", "properties": {"a": str}}', "it must be JSON (<class"
    ),
    "a wrong type": schema(
        '{"type": "object", "properties": {"a": {"type": "text"}}}',
        "properties.a.type: 'text' is no type; types are string, number,",
    ),
    "a schema without type": schema('{"properties": {"a": {"type": "string"}}}', AROUND),
    "an empty schema": schema("{}", AROUND),
    "no schema": schema(
        "None", "None is no JSON Schema; a tool without arguments has NO_ARGUMENTS"
    ),
    "an unknown keyword": schema(
        '{"type": "object", "mandatory": []}', "at its top: JSON Schema has no keyword 'mandatory'"
    ),
    "required is True": schema(
        '{"type": "object", "properties": {"a": {"required": True}}}',
        "properties.a.required: True is not of type 'array'",
    ),
    "required is not there": schema(
        '{"type": "object", "required": ["a"], "additionalProperties": False}',
        "at its top: 'a' is required, and is no property",
    ),
    **{
        f"a tool named {name[:9]!r}": named(name)
        for name in ("press it", "key.press", "p" * 65, "", "taß")
    },
    "two tools of a name": Mistake(
        TOOL, f"{TOOL}, {TOOL}", "holds two tools named 'press': give each"
    ),
    "no description": Mistake(
        TOOL, 'Tool("press", "", DIGIT)', "'press' without a description: say in"
    ),
    "a tool as dict": Mistake(
        TOOL, '{"name": "press"}', "DoorEnv.tools holds a dict in place of a Tool"
    ),
    "no tools": Mistake(
        "    def begin", "    tools = ()\n    def begin", "DoorEnv.tools holds no tool: write"
    ),
    "one tool": Mistake(
        "    def begin", "    tools = GIVE_UP\n    def begin", "holds a Tool, not a tuple of"
    ),
    "no instructions": Mistake(
        '"Press the digits, then turn the handle."',
        "None",
        "DoorEnv.instructions is None, and must be",
    ),
    "begin raises": Mistake(
        "self.pressed = []", 'raise KeyError("x")', "DoorEnv.begin raised KeyError in"
    ),
    "reset raises": Mistake(
        "", "    def reset(self, **_): 1 / 0", "DoorEnv.reset raised ZeroDivisionError"
    ),
    "step is replaced": Mistake(
        "",
        "    def step(self, action): return 'x'",
        "DoorEnv.step returned a str, and takes the place",
    ),
    "__init__ raises": Mistake(
        "", "    def __init__(self): 1 / 0", "DoorEnv.__init__ raised ZeroDivision"
    ),
    "__init__ wants more": Mistake(
        "",
        "    def __init__(self, size, **more): super().__init__(**more)",
        "needs --env-arg size=...",
    ),
    "__init__ forgets super": Mistake(
        "", "    def __init__(self): pass", "must call super().__init__()"
    ),
    "syntax": Mistake(
        "def begin(self, task):", "def begin(self, task)", "doors.py, line 24: expected ':'"
    ),
    "import": Mistake(
        "import random, time", "import rendom", "doors.py, line 2: No module named 'rendom'"
    ),
    "the module exits": Mistake(
        "import random, time", "raise SystemExit", "doors.py, line 2: SystemExit"
    ),
    "a module without a world": Mistake("*", "x = 1", "has no 'DoorEnv'; it has no class"),
    "no ToolEnv": Mistake("*", "class DoorEnv: pass", "write class DoorEnv(ToolEnv)"),
    "no act": Mistake("def act(", "def play(", "DoorEnv has no method act: define it"),
    "tasks as dicts": Mistake(
        TASKS, 'return [{"id": "a"}]', "load_tasks returned a dict as task 1: write"
    ),
    "no tasks": Mistake(TASKS, "return []", "DoorEnv.load_tasks returned no task: return at least"),
    "tasks of None": Mistake(
        TASKS, "return", "DoorEnv.load_tasks returned None: return a list of Task"
    ),
    "tasks that are yielded": Mistake(
        TASKS, "yield", "DoorEnv.load_tasks returned a generator: return"
    ),
    "tasks raise": Mistake(TASKS, "open('gone')", "DoorEnv.load_tasks raised FileNotFoundError in"),
    "an id twice": Mistake(
        TASKS,
        'return 2 * [Task("a", "Open.", {"code": 1})]',
        "returned two tasks with the id 'a': give",
    ),
    "an id of two lines": a_task(r'"a\nb", "Open."', f"a task with the id 'a\\nb'{ONE_LINE}"),
    "an id of a number": a_task('5, "Open."', f"a task with the id 5{ONE_LINE}"),
    "a prompt of dicts": a_task(
        '"a", {"role": "user"}', "task 'a' with a dict as its prompt: write a text"
    ),
    "a secret of text": a_task(
        '"a", "Open.", "12"', "task 'a' with a str as its secret: write a dict"
    ),
    "state that is not saved": Mistake(
        "def save(self):",
        "def keep(self):",
        "DoorEnv defines load, and no save: define both, or neither",
    ),
    "neither save nor load": Mistake(
        "",
        "    save, load = ToolEnv.save, ToolEnv.load",
        "state is not saved: after restore, step ",
    ),
    "a list shared by save": Mistake(
        "return list(self.pressed)",
        "return self.pressed",
        "save returns the state itself, and must return",
    ),
    "a list shared by load": Mistake(
        "self.pressed = list(state)",
        "self.pressed = state",
        "load keeps the saved state itself, and must",
    ),
    "begin sets up nothing": Mistake(
        "self.pressed = []",
        "vars(self).setdefault('pressed', [])",
        "or something that begin does not set",
    ),
    "the task is changed": Mistake(
        "self.pressed = []",
        'self.pressed = task.details["keys"]',
        "playing changes the task's own details",
    ),
    "save raises": Mistake(
        "return list(self.pressed)", "1 / 0", "DoorEnv.save raised ZeroDivisionError"
    ),
    "load raises": Mistake(
        "self.pressed = list(state)", "1 / 0", "DoorEnv.load raised ZeroDivisionError"
    ),
    "free raises": Mistake(
        "", "    def free(self, state): 1 / 0", "DoorEnv.free raised ZeroDivisionError"
    ),
    "end raises": Mistake(
        "", "    def end(self): 1 / 0", "DoorEnv.end raised ZeroDivisionError in"
    ),
    "thought of None": Mistake(
        "", "    def thought(self, *_): return None", "DoorEnv.thought returned None"
    ),
}
"""By what is wrong."""

ONLY = {
    "no solution": ("validate", "explore"),
    "mistakes of None": ("validate", "explore"),
    "end raises": ("validate",),
    "thought of None": ("explore",),
}
"""The commands that a mistake concerns; all three, for the others."""

SOUND = {
    "nothing": Mistake("", ""),
    "reward of a bool": Mistake("float(opens)", "opens"),
    "an observation of 5 MB": Mistake(PRESSED, 'return Outcome("x" * 5_000_000)'),
    "tools as a list": Mistake("    def begin", "    tools = list(tools)\n    def begin"),
    "a solution as a tuple": Mistake(SOLVED, 'return (*presses, Action("turn", {}))'),
    "a state that cannot be pickled": Mistake(
        "return list(self.pressed)", 'return type("Own", (list,), {})(self.pressed)'
    ),
    "render raises": Mistake("", "    def render(self): 1 / 0"),
    "two worlds": Mistake("", "class OtherEnv(DoorEnv): pass"),
    "ids with odd characters": Mistake('f"door-{n}"', 'f"Tür {n}, <b>/../ü"'),
}
