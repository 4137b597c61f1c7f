"""Templates by rule: each of the six parts is drawn from a few wordings, in a few orders.

No model is asked, so it costs nothing and works without a key. A student that is trained on many
learns that one task can be written in many ways.
"""

from collections.abc import Iterator
from random import Random

from engine.make.asker import RULES
from engine.make.templates.candidate import BASES, Candidate, to_toml
from engine.templates.dialects import DIALECTS

HOW = "grammar"

_WHO = (
    "assistant",
    "agent that solves tasks step by step",
    "careful clerk",
    "patient engineer",
    "research assistant",
    "operator of the tools below",
)
_PROFILES = (
    "You are {a}.",
    "Act as {a}.",
    "Your role: {a}.",
    "You play the part of {a}, and nobody helps you.",
    "",
)
_ADVICE = (
    "Think before each call.",
    "Look before you answer: do not guess.",
    "Make one call at a time.",
    "Read each result before you go on.",
    "If a call fails, find out why and try another one.",
    "Use only the tools that are listed.",
    "Stop as soon as the task is done.",
)
_HEADINGS = (
    "{title}:\n{text}",
    "# {title}\n{text}",
    "## {title}\n\n{text}",
    "[{title}]\n{text}",
    "<{tag}>\n{text}\n</{tag}>",
    "=== {title} ===\n{text}",
    "{text}",
)
_TITLES = {
    "instruction": ("Instructions", "Rules", "What to know"),
    "tools": ("Tools", "Available tools", "What you can call", "Functions"),
    "goal": ("Task", "Question", "Goal", "What the user wants"),
}
_ORDERS = (
    ("profile", "instruction", "tools", "format", "goal", "memory"),
    ("profile", "tools", "instruction", "format", "memory", "goal"),
    ("instruction", "profile", "tools", "goal", "memory", "format"),
    ("profile", "format", "instruction", "tools", "goal", "memory"),
    ("tools", "profile", "instruction", "goal", "memory", "format"),
)


def by_rules(seed: int) -> Iterator[Candidate]:
    """Yield templates, each of them different; the same seed yields the same ones."""
    seen: set[str] = set()
    number = 0
    for attempt in range(1_000_000):
        random = Random(f"{seed}|template|{attempt}")
        settings, parts = _drawn(random)
        content = to_toml("", settings, parts)
        if content not in seen:
            seen.add(content)
            number += 1
            name = f"rules-{seed}-{number:03}"
            source = _with_order(to_toml(name, settings, parts), random)
            yield Candidate(name, source, {"by": RULES, "how": HOW})


def _drawn(random: Random) -> tuple[dict[str, str], dict[str, str]]:
    who = random.choice(_WHO)
    article = "an" if who[0] in "aeiou" else "a"
    profile = random.choice(_PROFILES).format(a=f"{article} {who}")
    advice = random.sample(_ADVICE, random.randint(0, 3))
    bullet = random.choice(("- ", "* ", ""))
    rules = "\n".join(["{{ instructions }}", *(f"{bullet}{one}" for one in advice)])
    heading = random.choice(_HEADINGS)
    texts = {"instruction": rules, "tools": "{{ tools }}", "goal": "{{ prompt }}"}
    parts = {"profile": profile} | {
        name: _headed(heading, random.choice(_TITLES[name]), text) for name, text in texts.items()
    }
    base = random.choice(BASES)
    settings = {
        "base": base,
        "dialect": random.choice(tuple(DIALECTS)),
        "memory": random.choice(("chat", "chat", "prompt")),
    }
    return settings, parts


def _headed(heading: str, title: str, text: str) -> str:
    tag = title.lower().replace(" ", "_")
    return heading.replace("{title}", title).replace("{tag}", tag).replace("{text}", text)


def _with_order(source: str, random: Random) -> str:
    order = ", ".join(f'"{name}"' for name in random.choice(_ORDERS))
    head, table, parts = source.partition("\n[parts]")
    return f"{head}order = [{order}]\n{table}{parts}"
