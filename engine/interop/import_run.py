"""Import: files of other systems become one run of trees."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.config import Config, one_of
from engine.errors import UsageError
from engine.interop.atif_read import read_atif
from engine.interop.chat import read_chat
from engine.interop.conversation import Conversation
from engine.interop.merge import Forest
from engine.interop.rewards import RewardFile, number, scaled
from engine.interop.settings import ImportSettings
from engine.interop.verifiers_traces import read_verifiers
from engine.runs.explore import locked, versions
from engine.runs.store import Store
from engine.runs.world_of_run import IMPORTED
from engine.templates.recorded import recorded_tokens

Reader = Callable[[Path, ImportSettings], Iterator[Conversation]]

FORMATS: Mapping[str, Reader] = {
    "atif": read_atif,
    "chat": read_chat,
    "verifiers": read_verifiers,
}
"""The readers, by the format's name."""


@dataclass(slots=True)
class Imported:
    """What an import made.

    Attributes:
        conversations: records read.
        trees: tasks.
        nodes: steps of all trees.
        merged: steps that a record shares with an earlier one.
        successes: conversations that succeeded.
        unknown: conversations without a reward.
    """

    conversations: int = 0
    trees: int = 0
    nodes: int = 0
    merged: int = 0
    successes: int = 0
    unknown: int = 0


def import_run(
    format: str, paths: Sequence[Path], output: Path, settings: ImportSettings
) -> Imported:
    """Write the run `output` from the records of `paths`: every one of them, or no run.

    Raises:
        UsageError: the format is unknown, a record is bad, or the folder holds a run.
    """
    one_of("format", format, tuple(FORMATS))
    found, forest = Imported(), Forest()
    beside = RewardFile(settings.rewards)
    for path in paths:
        for conversation in FORMATS[format](path, settings):
            raw = beside.of(conversation)
            raw = conversation.reward if raw is None else raw
            reward = _reward(raw, conversation, settings)
            forest.add(conversation, reward)
            found.conversations += 1
            found.successes += reward == 1.0
            found.unknown += reward is None
    if not found.conversations:
        raise UsageError(f"no {format} record in {', '.join(map(str, paths))}")
    found.merged = forest.merged
    with locked(output), Store.create(output) as store:
        if not store.empty:
            raise UsageError(f"--output {output} holds a run; choose another folder")
        with_tokens = False
        for tree in forest.trees():
            store.add_tree(tree)
            with_tokens |= any(recorded_tokens(node.step) for node in tree.nodes)
            found.trees += 1
            found.nodes += len(tree.nodes)
        store.set_meta(_meta(format, paths, settings, with_tokens))
    return found


def _reward(raw: Any, conversation: Conversation, settings: ImportSettings) -> float | None:
    given = number(raw, conversation.place)
    return settings.default_reward if given is None else scaled(given, settings.success)


def _meta(
    format: str, paths: Sequence[Path], settings: ImportSettings, with_tokens: bool
) -> dict[str, Any]:
    return {
        "config": Config(env=IMPORTED, teacher=IMPORTED).to_dict(),
        "template": "",
        "world": {"instructions": "", "tools": []},
        "versions": versions(),
        "unpriced": [],
        "imported": {
            "format": format,
            "files": [path.name for path in paths],
            "success": settings.success,
            "token_ids": with_tokens,
        },
    }
