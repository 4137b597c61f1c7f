"""Write the services and the tasks: `python -m tools.bundled.api`."""

import json
from random import Random
from typing import Any

from environments.api.services import BUNDLED, Services
from tools.bundled.api.draft import Draft, Unsuitable
from tools.bundled.api.rows import TODAY
from tools.bundled.api.services import services
from tools.bundled.api.templates import TEMPLATES, Template

OF_EACH = 3
"""Tasks of each template."""
OTHERS = 4
"""Endpoints of other services that each task offers beside its own."""
TRIES = 300


def texts() -> dict[str, str]:
    """The files' contents by name; the same sources give the same bytes."""
    made = services()
    known = Services.of(made)
    found = {"train": "", "test": ""}
    for template in TEMPLATES:
        for task in _tasks(known, template):
            found[template.split] += json.dumps(task, ensure_ascii=False) + "\n"
    lists = "[\n" + ",\n".join(_service_text(service) for service in made) + "\n]\n"
    return {"services.json": lists, **{f"{split}.jsonl": t for split, t in found.items()}}


def _service_text(service: dict[str, Any]) -> str:
    """A service with a line for each row and endpoint."""
    tables = ",\n".join(
        f"{json.dumps(name)}: [\n{_lines(rows)}]" for name, rows in service["tables"].items()
    )
    return (
        f'{{"name": {json.dumps(service["name"])}, "category": {json.dumps(service["category"])},\n'
        f'"tables": {{{tables}}},\n"endpoints": [\n{_lines(service["endpoints"])}]}}'
    )


def _lines(items: list[Any]) -> str:
    return ",\n".join(json.dumps(item, ensure_ascii=False) for item in items)


def _tasks(known: Services, template: Template) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for number in range(TRIES):
        draft = Draft(known, Random(f"{template.name} {number}"), known.start, template.quotas)
        try:
            template.fill(draft)
        except Unsuitable:
            continue
        found.setdefault(draft.asked, _task(draft, template, len(found)))
        if len(found) == OF_EACH:
            return list(found.values())
    raise SystemExit(f"{template.name}: only {len(found)} tasks in {TRIES} tries")


def _task(draft: Draft, template: Template, number: int) -> dict[str, Any]:
    used = list(dict.fromkeys(call["tool"] for call in draft.calls))
    of = list(dict.fromkeys(draft.services.endpoints[name].service for name in used))
    end = {"return_type": "give_answer", "final_answer": draft.answer}
    finish = {"tool": "Finish", "arguments": end, "thought": "That answers it."}
    return {
        "id": f"api-{template.split}-{template.name.replace('_', '-')}-{number + 1}",
        "prompt": f"Today is {TODAY}. {draft.asked} Give as final answer only {draft.form}.",
        "tools": _tools(draft, template, of),
        "calls": [*draft.calls, finish],
        "wrong": list(draft.wrong),
        "quotas": {draft.full_name(each): count for each, count in template.quotas.items()},
        "group": f"{'+'.join(of)}:{template.name}",
        "tags": {
            "kind": _kind(draft.services, of),
            "trouble": template.trouble or "none",
            "changes": "yes" if draft.state.tables != known_tables(draft.services) else "no",
        },
    }


def known_tables(known: Services) -> Any:
    """The tables before any call."""
    return known.start.tables


def _kind(known: Services, of: list[str]) -> str:
    """ToolBench's name: one tool, tools of one category, tools of several."""
    if len(of) == 1:
        return "I1"
    return "I2" if len({known.categories[service] for service in of}) == 1 else "I3"


def _tools(draft: Draft, template: Template, of: list[str]) -> list[str]:
    """The endpoints of the task's services, and some others, in an order of their own."""
    endpoints = draft.services.endpoints
    own = [name for name, each in endpoints.items() if each.service in of]
    others = [name for name in endpoints if name not in own]
    tools = own + draft.draw.sample(others, OTHERS)
    draft.draw.shuffle(tools)
    return tools


if __name__ == "__main__":
    for name, text in texts().items():
        (BUNDLED / name).write_text(text, encoding="utf-8")
