"""The tables in docs/masks.md.

`python -m tests.support.mask_table` masks every conversation in every
template in every way, and writes them.

A way is judged by text, so that none is blamed for where the embedded tokenizer, which is not the
templates' own, cuts a token.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.chat_templates import TemplateCase, templates
from tests.support.conversations import CONVERSATIONS, Conversation
from tests.support.mask_rivals import WAYS, Refused, Sequence, mask
from trainer.cli.mask_view import parts
from trainer.data.mask import Turn, label, turns
from trainer.errors import RowError, TemplateRefused
from trainer.tokens.chat_template import ChatTemplate

PAGE = Path(__file__).parents[2] / "docs" / "masks.md"
OURS = "ours"
REFUSES = "refused"
Outcomes = dict[tuple[str, str, str], str]
"""By template, conversation and way: "" if right; letters for what is wrong; REFUSES; what we
refuse is in none of the others."""


def main() -> None:
    outcomes: Outcomes = {}
    reasons: dict[str, dict[str, str]] = {}
    for template in ours():
        reasons[template.name] = {}
        outcomes |= judge(template, reasons[template.name])
    write("templates", by_template(outcomes))
    write("conversations", by_conversation(outcomes))
    write("refusals", refusals(reasons))


def ours() -> list[TemplateCase]:
    """All but TRL's training templates, which are its own way to mask."""
    return [t for t in templates().values() if not t.name.endswith("_training")]


def judge(template: TemplateCase, reasons: dict[str, str]) -> Outcomes:
    """reasons: filled with why conversations were refused."""
    renderer = template.renderer()
    found: Outcomes = {}
    for one in CONVERSATIONS:
        try:
            pairs = turns(renderer, one.messages, one.tools)
        except (TemplateRefused, RowError) as error:
            reasons[one.name] = str(error)
            found[template.name, one.name, OURS] = REFUSES
            continue
        made = [list(parts(renderer, s)) for s in label(renderer, one.messages, one.tools)]
        found[template.name, one.name, OURS] = faults(renderer, one, pairs, made)
        for way in WAYS:
            try:
                sequence = mask(way, template.tokenizer(), _as_objects(one))
                verdict = faults(renderer, one, pairs, [sequence])
            except Refused:
                verdict = REFUSES
            found[template.name, one.name, way] = verdict
    return found


def faults(
    renderer: ChatTemplate, conversation: Conversation, pairs: list[Turn], sequences: list[Sequence]
) -> str:
    """c: trained after another context than the student will meet; +: trains text that the student
    will not have to emit; n: trains blanks of that kind, no more; -: leaves some text out."""
    decode = renderer.tokenizer.decode
    texts = ["".join(text for text, _ in sequence) for sequence in sequences]
    expected = "".join(str(decode(pair.completion)) for pair in pairs)
    trained = "".join(text for sequence in sequences for text, is_ in sequence if is_)
    contexts = [_context(renderer, conversation, n) for n in _replies(conversation)]
    wrong = ""
    if not all(any(text.startswith(context) for text in texts) for context in contexts):
        wrong = "c"
    there, wanted = Counter(trained), Counter(expected)
    extra, lost = "".join(there - wanted), "".join(wanted - there)
    if extra:
        wrong += "+" if extra.strip() else "n"
    if lost or (trained != expected and not extra):
        wrong += "-"
    return wrong


def by_template(outcomes: Outcomes) -> list[str]:
    return _table("template", outcomes, 0)


def by_conversation(outcomes: Outcomes) -> list[str]:
    return _table("conversation", outcomes, 1)


def refusals(reasons: dict[str, dict[str, str]]) -> list[str]:
    lines = ["| template | conversations | why |", "|---|---|---|"]
    for template, found in reasons.items():
        grouped: dict[str, list[str]] = defaultdict(list)
        for conversation, reason in found.items():
            grouped[_short(reason)].append(conversation)
        for reason, names in grouped.items():
            which = "all" if len(names) == len(CONVERSATIONS) else ", ".join(names)
            lines.append(f"| {template} | {which} | {reason} |")
    return lines


def written(table: str) -> list[str]:
    """The lines of a table as they stand in the page."""
    return _between(PAGE.read_text("utf-8"), table)[1].strip("\n").split("\n")


def write(table: str, lines: list[str]) -> None:
    before, _, after = _between(PAGE.read_text("utf-8"), table)
    PAGE.write_text(before + "\n" + "\n".join(lines) + "\n" + after, "utf-8")


def _between(page: str, table: str) -> tuple[str, str, str]:
    begin, end = f"<!-- {table}: begin -->", f"<!-- {table}: end -->"
    head, _, rest = page.partition(begin)
    middle, _, tail = rest.partition(end)
    return head + begin, middle, end + tail


def _table(first: str, outcomes: Outcomes, part: int) -> list[str]:
    """All ways are measured on what we do not refuse."""
    lines = [f"| {first} | refused | ours | {' | '.join(WAYS)} |", "|---" * (len(WAYS) + 3) + "|"]
    for name in dict.fromkeys(key[part] for key in outcomes):
        mine = {key: verdict for key, verdict in outcomes.items() if key[part] == name}
        refused = [key for key, verdict in mine.items() if key[2] == OURS and verdict == REFUSES]
        kept = {key: verdict for key, verdict in mine.items() if key not in refused}
        cells = [_cell(v for k, v in kept.items() if k[2] == way) for way in (OURS, *WAYS)]
        lines.append(f"| {name} | {len(refused) or ''} | {' | '.join(cells)} |")
    return lines


def _cell(verdicts: Iterable[str]) -> str:
    """How many are right of how many; then how many have which fault."""
    found = list(verdicts)
    if not found:
        return "none"
    count = {letter: sum(letter in v for v in found if v != REFUSES) for letter in "c+n-"}
    count["r"] = found.count(REFUSES)
    faults_ = " ".join(f"{letter}{number}" for letter, number in count.items() if number)
    return f"{found.count('')}/{len(found)} {faults_}".strip()


def _context(renderer: ChatTemplate, one: Conversation, number: int) -> str:
    rendered = renderer.render(one.messages[:number], one.tools, generation=True)
    return str(renderer.tokenizer.decode(renderer.encode(rendered)))


def _replies(one: Conversation) -> list[int]:
    return [n for n, message in enumerate(one.messages) if message["role"] == "assistant"]


def _as_objects(one: Conversation) -> Conversation:
    """Arguments as objects, as TRL's documentation has them."""

    def plain(message: Any) -> Any:
        if not message.get("tool_calls"):
            return message
        made = [
            {
                **call,
                "function": {
                    **call["function"],
                    "arguments": json.loads(call["function"]["arguments"]),
                },
            }
            for call in message["tool_calls"]
        ]
        return {**message, "tool_calls": made}

    return Conversation(one.name, [plain(m) for m in one.messages], one.tools)


def _short(reason: str) -> str:
    """Without the text that it quotes of one conversation."""
    head = reason.replace("the model's chat template does not support tool calls", "no tool calls")
    head = head.removesuffix(": export with --template react")
    if "generation prompt" in head:
        return "its generation prompt is not how it begins an assistant's turn"
    if "drops text of a message of role" in head:
        return head.removeprefix("the chat template ").partition(":")[0]
    head = head.replace("the chat template refuses these messages", "it refuses")
    return head.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
