"""`Finish`, with which ToolBench's agents end a task (Qin et al. 2023, arXiv:2307.16789)."""

from environments.base import Outcome
from environments.tools import Tool, arguments
from environments.types import Action

GIVE_ANSWER, RESTART = "give_answer", "give_up_and_restart"
FINISH = Tool(
    "Finish",
    "Call this at the end, once: with the final answer, which is all that the user sees, or to "
    "give up if the functions cannot do what is asked.",
    arguments(
        ("final_answer",),
        return_type={"type": "string", "enum": [GIVE_ANSWER, RESTART]},
        final_answer={
            "type": "string",
            "description": f"the answer, if return_type is {GIVE_ANSWER}",
        },
    ),
)


def finish(answer: str, thought: str = "") -> Action:
    """Return the call that gives an answer."""
    return Action(FINISH.name, {"return_type": GIVE_ANSWER, "final_answer": answer}, thought)


def no_answer(action: Action) -> Outcome | None:
    """Return the outcome of a `Finish` without an answer; None if there is one."""
    if action.arguments["return_type"] == RESTART:
        return Outcome('{"response": "gave up"}', terminated=True, info={"gave_up": True})
    if not str(action.arguments.get("final_answer", "")).strip():
        message = f"{GIVE_ANSWER} needs a final_answer that is not empty"
        return Outcome.slip("bad_arguments", message)
    return None
