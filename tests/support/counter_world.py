"""A shop's counter: tasks with tools of their own, and a user who answers what the agent says."""

from collections.abc import Sequence

from environments import GIVE_UP, NO_ARGUMENTS, SAY, Action, Outcome, Task, Tool, ToolEnv

PRICES = Tool("prices", "List the prices.", NO_ARGUMENTS)
HOURS = Tool("hours", "Tell the opening hours.", NO_ARGUMENTS)
TELLS = {"prices": "tea 3, cake 5", "hours": "9 to 17"}
WANTED = {"prices": "How much is tea?", "hours": "When do you close?", "none": "Good morning!"}
RIGHT = {"prices": "3", "hours": "17", "none": "Good morning"}


class CounterEnv(ToolEnv):
    """Serve the user, who thanks for the right answer and then leaves."""

    tools = (PRICES, HOURS, SAY, GIVE_UP)
    instructions = "Serve the user."
    instant = True

    def load_tasks(self) -> Sequence[Task]:
        return [
            Task(name, asked, {"right": RIGHT[name]}, group=name) for name, asked in WANTED.items()
        ]

    def tools_of(self, task: Task) -> tuple[Tool, ...]:
        return tuple(tool for tool in self.tools if tool.name in (task.id, "say", "give_up"))

    def begin(self, task: Task) -> None:
        self.served = False

    def save(self) -> bool:
        return self.served

    def load(self, state: bool) -> None:
        self.served = state

    def act(self, action: Action) -> Outcome:
        assert self.task is not None
        if action.tool != "say":
            return Outcome(TELLS[action.tool])
        if self.served:
            return Outcome("the user leaves", 1.0, terminated=True)
        self.served = self.task.secret["right"] in action.arguments["text"]
        return Outcome("Thank you!" if self.served else "Pardon?")

    def solution(self, task: Task) -> list[Action]:
        look = [Action(task.id, {})] if task.id in TELLS else []
        return [*look, *(Action("say", {"text": text}) for text in (RIGHT[task.id], "Bye."))]
