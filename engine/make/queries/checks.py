"""What is wrong with a task in other words: a value is lost, an answer told, the gold fails."""

from collections import Counter

from engine.make.queries.rules import KEPT
from engine.runs.fingerprints import contains_secret, fingerprints, strings_in
from environments import Task, ToolEnv
from environments.demonstrable import gold_actions
from environments.plays import play

_SHORTEST = 3
"""Characters of a text in the secret that a new prompt may not tell: shorter ones are in any."""


def doubt(env: ToolEnv, old: Task, new: Task) -> str:
    """Return why `new`, which is `old` in other words, cannot be used, in few words; "" if it can.

    Its own solution is played in the world, and so is doing nothing.

    Raises:
        NoSolution: the world has no solution for the task.
    """
    if new.prompt.split() == old.prompt.split():
        return "unchanged"
    if _values(old.prompt) - _values(new.prompt):
        return "a value is lost"
    if _tells_secret(old, new):
        return "tells the answer"
    steps = play(env, new, gold_actions(env, new))
    if not (steps and steps[-1].solved):
        return "the gold does not solve it"
    nothing = play(env, new, env.noop(new))
    return "solved by doing nothing" if nothing and nothing[-1].solved else ""


def _values(prompt: str) -> Counter[str]:
    """Return the parts of a prompt that must be in any other one for the same task."""
    return Counter(match[0].strip("\"'“”`.,;:?!()").casefold() for match in KEPT.finditer(prompt))


def _tells_secret(old: Task, new: Task) -> bool:
    if contains_secret(new.prompt, fingerprints(new.secret, new.findable)):
        return not contains_secret(old.prompt, fingerprints(old.secret))
    before, now = old.prompt.casefold(), new.prompt.casefold()
    texts = [text.casefold() for text in strings_in(new.secret) if len(text) >= _SHORTEST]
    return any(text in now and text not in before for text in texts)
