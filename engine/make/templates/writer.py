"""A model writes templates for sets of similar queries: KwaiAgents' Meta-Agent.

Pan et al. 2023, arXiv:2312.04889, section 3.2: similar queries seed a prompt that asks for a new
template with all its parts.
"""

import re
from collections.abc import Sequence
from random import Random

from engine.make.asker import Asker
from engine.make.templates.candidate import BASES, Candidate, read_parts, to_toml
from engine.templates.base import Message
from engine.templates.parts import NAMES, VALUES
from engine.templates.registry import builtin

HOW = "meta-agent"

_WORD = re.compile(r"\w+")
_ASKED = """\
Write a new prompt template for an agent that calls tools. It will be used for queries such as:
{queries}

The template has six parts: {names}. Each is a Jinja text and may show these values:
{values}
The part instruction must show {{{{ instructions }}}}, tools must show {{{{ tools }}}}, goal must
show {{{{ prompt }}}}, and memory must show {{{{ history }}}}. Invent a fitting profile; word,
structure and style should differ from usual templates. The agent's replies must have exactly this
form, so the part format must ask for it to the letter:

{form}

Answer with one JSON object whose keys are the six names and whose values are texts."""


def similar(queries: Sequence[str], number: int, random: Random) -> list[str]:
    """Return a query drawn with `random` and those that share the most words with it."""
    first = random.choice(queries)
    words = set(_WORD.findall(first.lower()))

    def shared(query: str) -> float:
        own = set(_WORD.findall(query.lower()))
        return len(words & own) / (len(words | own) or 1)

    others = sorted((query for query in queries if query != first), key=shared, reverse=True)
    return [first, *others[: number - 1]]


def asked(queries: Sequence[str], base: str) -> list[Message]:
    """Return the request for a template whose calls have the form of the template `base`."""
    template = builtin(base)
    assert template is not None
    names = {name: f"{{{{ {name} }}}}" for name in VALUES}
    text = _ASKED.format(
        queries="\n".join(f"- {query}" for query in queries),
        names=", ".join(NAMES),
        values="\n".join(f"- {{{{ {name} }}}}: {about}" for name, about in VALUES.items()),
        form=template.parts.format(names).strip(),
    )
    return [{"role": "user", "content": text}]


async def write(asker: Asker, queries: Sequence[str], number: int, seed: int) -> Candidate:
    """Let a model write a template; see `Asker.ask` for what is raised.

    Args:
        asker: asks the model.
        queries: that templates may be about.
        number: of the template, from 1.
        seed: of the draw of queries.
    """
    random = Random(f"{seed}|meta-agent|{number}")
    seeds, base = similar(queries, 5, random), BASES[(number - 1) % len(BASES)]
    answer = await asker.ask(asked(seeds, base), attempt=number)
    parts = None if answer.incomplete else read_parts(answer.text)
    name = f"made-{seed}-{number:03}"
    settings = {"base": base, "memory": random.choice(("chat", "prompt"))}
    source = to_toml(name, settings, parts) if parts else ""
    made = {"by": asker.name, "how": HOW, "replies": [answer.key]}
    return Candidate(name, source, made, tuple(seeds), answer.text)
