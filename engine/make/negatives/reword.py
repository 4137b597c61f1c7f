"""Let a model word the user's message of a negative anew, and check that it is one still."""

from dataclasses import replace

from engine.make.asker import Asker
from engine.templates.base import Message
from environments.negatives import holds, kind_of
from environments.types import Task
from search.policy import PolicyError

_WORD = (
    "You write messages of users. Write the message below in other, natural words. It keeps its "
    "sense: {keep}. Reply with the message alone."
)
_KEEP = {
    "given": "it tells the answer, with the very words {answer!r}, and asks to have it repeated",
    "talk": "the user only talks, and asks for nothing to be done now",
    "missing": "it asks for the same thing, with all names and numbers",
}
_JUDGE = (
    "A user writes the message below to an assistant with tools. Is there anything that the "
    "assistant has to look up, compute or change before it can reply? Say yes or no."
)


async def reworded(asker: Asker, task: Task) -> tuple[Task | None, str]:
    """Return a negative in other words, or None and why there is none.

    The model is asked a second time, whether the message needs a tool.

    Raises:
        BudgetSpent: the budget is spent.
        EndpointUnusable: the model can answer no request.
    """
    kind, answer = kind_of(task), "".join(task.secret.get("answer", ()))
    keep = _KEEP[kind].format(answer=answer)
    try:
        written = await asker.ask(_asked(_WORD.format(keep=keep), task.prompt))
        text = written.text.strip()
        if written.incomplete or not text:
            return None, "no new words"
        if kind == "given" and not holds(text, answer):
            return None, "answer lost"
        judged = await asker.ask(_asked(_JUDGE, text), temperature=0.0)
    except PolicyError as error:
        if type(error) is not PolicyError:
            raise
        return None, "refused"
    wanted = "yes" if kind == "missing" else "no"
    if not judged.text.strip().lower().startswith(wanted):
        return None, "another sense"
    made = {**task.made, "by": asker.name, "replies": [written.key, judged.key]}
    return replace(task, prompt=text, made=made), ""


def _asked(system: str, text: str) -> list[Message]:
    return [{"role": "system", "content": system}, {"role": "user", "content": text}]
