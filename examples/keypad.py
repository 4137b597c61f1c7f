"""A complete environment of your own: a keypad, a note, and a door.

    engine explore --env examples.keypad:KeypadEnv --teacher demonstration

Acting changes its state, so it defines `begin`, `save` and `load`, one line each. `solution` and
`mistakes` are optional: the demonstration teacher needs them.
"""

from collections.abc import Sequence

from environments import GIVE_UP, NO_ARGUMENTS, Action, DataError, Outcome, Task, Tool, ToolEnv

DIGIT = {
    "type": "object",
    "properties": {"digit": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["digit"],
    "additionalProperties": False,
}
CODES = {"train": ("305", "918", "264", "770"), "test": ("481", "652")}


class KeypadEnv(ToolEnv):
    """Open the door: read the code, backwards, on the note; press it; turn the handle."""

    tools = (
        Tool("read_note", "Read the note on the wall.", NO_ARGUMENTS),
        Tool("press", "Press one key of the keypad.", DIGIT),
        Tool("turn", "Turn the handle. This ends the task.", NO_ARGUMENTS),
        GIVE_UP,
    )
    instructions = "Press the three digits of the code in order, then turn the handle, once."

    def load_tasks(self) -> Sequence[Task]:
        split = self.split or "train"
        if split not in CODES:
            raise DataError(f"keypad: no split {split!r}; the splits: {', '.join(CODES)}")
        return [
            Task(f"keypad-{code}", f"Open door {number}.", {"code": code}, group=code, split=split)
            for number, code in enumerate(CODES[split])
        ]

    def begin(self, task: Task) -> None:
        self.pressed = ""

    def save(self) -> str:
        return self.pressed

    def load(self, state: str) -> None:
        self.pressed = state

    def act(self, action: Action) -> Outcome:
        assert self.task is not None
        code = self.task.secret["code"]
        match action.tool:
            case "read_note":
                return Outcome(f"the note says: {code[::-1]}, read from behind")
            case "press":
                self.pressed += str(action.arguments["digit"])
                return Outcome(f"pressed so far: {len(self.pressed)}")
            case _:
                opens = self.pressed == code
                text = "the door opens" if opens else "the door stays shut"
                return Outcome(text, float(opens), terminated=True)

    def solution(self, task: Task) -> list[Action]:
        presses = [
            Action("press", {"digit": int(digit)}, f"The next digit is {digit}.")
            for digit in task.secret["code"]
        ]
        note = Action("read_note", {}, "The note may tell the code.")
        return [note, *presses, Action("turn", {}, "All the digits are in.")]

    def mistakes(self, task: Task, action: Action) -> list[Action]:
        if action.tool != "press":
            return []
        digits = [(action.arguments["digit"] + step) % 10 for step in (1, 9)]
        return [Action("press", {"digit": d}, f"The next digit is {d}.") for d in digits]
