"""The format `atif`: one trajectory a file, or a folder of them; other JSON there is passed over.

The reward is looked for in `extra.reward`, in `final_metrics.extra.reward`, in the last step's
`extra.reward`, and in the results that Harbor writes beside `agent/trajectory.json`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from json import loads
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.interop.atif_steps import FACTS, OTHER_STEPS, ours_in, to_messages
from engine.interop.conversation import (
    NO_USAGE,
    Conversation,
    Record,
    json_object,
    records,
    text_at,
    value_at,
)
from engine.interop.settings import ImportSettings
from engine.templates.base import Message
from search.usage import Usage
from treegraft.text_files import read_text

_REWARDS = ("extra.reward", "final_metrics.extra.reward")
_HARBOR_REWARDS = "verifier_result.rewards"


def read_atif(path: Path, settings: ImportSettings) -> Iterator[Conversation]:
    """Yield the trajectories of a file or of a folder.

    Raises:
        UsageError: one cannot be read, or is none of ATIF's.
    """
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            place = str(file)
            record = _any_json(file)
            if isinstance(record, dict) and _is_atif(record):
                yield _conversation(record, place, file, settings)
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        for place, record in records(path):
            yield _conversation(_checked(record, place), place, None, settings)
    else:
        record = json_object(read_text(path), str(path))
        yield _conversation(_checked(record, str(path)), str(path), path, settings)


def _any_json(file: Path) -> Any:
    try:
        return loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file}: not JSON ({error})") from error


def _is_atif(record: Record) -> bool:
    return str(record.get("schema_version")).startswith("ATIF-v1.")


def _checked(record: dict[str, Any], place: str) -> dict[str, Any]:
    if not _is_atif(record):
        version = record.get("schema_version")
        raise UsageError(f"{place}: its schema_version is {version!r}, not ATIF-v1.x")
    return record


@dataclass(slots=True)
class _Read:
    """What the steps of a trajectory give."""

    messages: list[Message] = field(default_factory=list)
    facts: dict[int, Record] = field(default_factory=dict)
    usage: dict[int, Usage] = field(default_factory=dict)
    others: dict[str, Record] = field(default_factory=dict)

    def add(self, step: Record, place: str) -> None:
        at = len(self.messages)
        self.messages += to_messages(step, place)
        facts = {name: step[name] for name in FACTS if step.get(name) is not None}
        results = (step.get("observation") or {}).get("results") or ()
        if any(set(each) - {"source_call_id", "content"} for each in results):
            facts["results"] = results
        if step["source"] != "agent":
            if facts := {k: v for k, v in facts.items() if k != "is_copied_context"}:
                self.others[str(step.get("step_id"))] = facts
            return
        if facts:
            self.facts[at] = facts
        if isinstance(metrics := step.get("metrics"), Mapping):
            names = ("prompt_tokens", "completion_tokens", "cached_tokens")
            self.usage[at] = _usage(metrics, names, ("cost_usd", "cost"), place)


def _conversation(
    record: dict[str, Any], place: str, file: Path | None, settings: ImportSettings
) -> Conversation:
    steps, agent = record.get("steps"), record.get("agent")
    if not isinstance(steps, list) or not steps:
        raise UsageError(f"{place}: it has no steps")
    if not isinstance(agent, Mapping):
        raise UsageError(f"{place}: it names no agent")
    if not isinstance(agent.get("tool_definitions") or [], list):
        raise UsageError(f"{place}: its tool_definitions are not a list")
    read = _Read()
    for number, step in enumerate(steps, 1):
        where = f"{place}, step {number}"
        if not isinstance(step, Mapping) or "source" not in step:
            raise UsageError(f"{where}: not an object with a source and a message")
        if not all(isinstance(step.get(name) or {}, Mapping) for name in ("extra", "metrics")):
            raise UsageError(f"{where}: its extra or its metrics are not an object")
        read.add(step, where)
    if not read.usage and isinstance(total := record.get("final_metrics"), Mapping):
        _add_total(read, total, place)
    kept = {name: value for name, value in record.items() if name != "steps"}
    result = _harbor_result(file)
    ours = ours_in(record)
    names = (record.get("trajectory_id"), record.get("session_id"), file.stem if file else None)
    return Conversation(
        place=place,
        messages=read.messages,
        tools=agent.get("tool_definitions") or (),
        task=_task(record, result, settings),
        ids=tuple(str(name) for name in names if name),
        reward=_reward(record, steps, result, settings),
        source=str(agent.get("model_name") or ""),
        cut=bool(ours.get("cut")),
        facts=read.facts,
        usage=read.usage,
        kept=kept | ({OTHER_STEPS: read.others} if read.others else {}),
    )


def _add_total(read: _Read, total: Record, place: str) -> None:
    """Put what a whole trajectory cost on its last reply, where no reply says its own."""
    replies = [n for n, message in enumerate(read.messages) if message["role"] == "assistant"]
    names = ("total_prompt_tokens", "total_completion_tokens", "total_cached_tokens")
    if replies:
        read.usage[replies[-1]] = _usage(total, names, ("total_cost_usd", "total_cost"), place)


def _usage(metrics: Record, names: Sequence[str], costs: Sequence[str], place: str) -> Usage:
    """Return what a reply cost; the dollars have two spellings."""
    tokens = [metrics.get(name) or 0 for name in names]
    usd = next((metrics[name] for name in costs if metrics.get(name) is not None), 0.0)
    if not all(isinstance(each, int | float) for each in (*tokens, usd)):
        raise UsageError(f"{place}: its metrics are not numbers")
    spent = any((*tokens, usd))
    prompt, completion, cached = map(int, tokens)
    return Usage(1, prompt, completion, cached, float(usd)) if spent else NO_USAGE


def _task(record: Record, result: Record, settings: ImportSettings) -> str:
    named = text_at(record, settings.task_id) or text_at(record, "extra.task_id")
    return named or str(ours_in(record).get("task") or "") or text_at(result, "task_name")


def _reward(record: Record, steps: Sequence[Record], result: Record, s: ImportSettings) -> Any:
    if s.reward:
        return value_at(record, s.reward)
    places = [value_at(record, name) for name in _REWARDS]
    places.append(value_at(steps[-1], "extra.reward"))
    rewards = value_at(result, _HARBOR_REWARDS)
    if isinstance(rewards, Mapping):
        places += [rewards.get("reward"), *(rewards.values() if len(rewards) == 1 else ())]
    return next((each for each in places if each is not None), None)


def _harbor_result(file: Path | None) -> Record:
    """Return what Harbor says of the trial whose `agent/trajectory.json` this is."""
    if file is None or file.parent.name != "agent":
        return {}
    result = file.parent.parent / "result.json"
    return json_object(read_text(result), str(result)) if result.is_file() else {}
