"""Treegraft: search tool environments, turn trees into training rows, train a student.

    import treegraft as tg

    run = tg.explore("bird", teacher="gpt-4.1-mini", limit=50, max_usd=1, out="runs/a")
    rows = run.rows("sft", template="react")
    model = tg.sft(rows, model="smollm2", output_dir="student", learning_rate=1e-4)
    report = tg.evaluate(model, "bird", split="test")

Importing this package imports nothing else: each name is loaded when it is first used, so a script
that only explores never waits for torch.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.api import Run, aexplore, explore, load_environment
    from environments import Action, Outcome, Task, Tool, ToolEnv
    from search import Beam, BestFirst, Dfsdt, Mcts, React, Tree
    from trainer.api import TrainedModel, distill, dpo, evaluate, kto, sft
    from trainer.evaluation.report import Report
    from trainer.training.masked_trl import MaskedDPOTrainer, MaskedPreferenceCollator
    from treegraft.errors import TreegraftError
    from treegraft.push.api import push_to_hub

__all__ = [
    "Action",
    "Beam",
    "BestFirst",
    "Dfsdt",
    "MaskedDPOTrainer",
    "MaskedPreferenceCollator",
    "Mcts",
    "Outcome",
    "React",
    "Report",
    "Run",
    "Task",
    "Tool",
    "ToolEnv",
    "TrainedModel",
    "Tree",
    "TreegraftError",
    "aexplore",
    "distill",
    "dpo",
    "evaluate",
    "explore",
    "kto",
    "load_environment",
    "push_to_hub",
    "sft",
]

_MODULES = {
    "engine.api": ("Run", "aexplore", "explore", "load_environment"),
    "environments": ("Action", "Outcome", "Task", "Tool", "ToolEnv"),
    "search": ("Beam", "BestFirst", "Dfsdt", "Mcts", "React", "Tree"),
    "trainer.api": ("TrainedModel", "distill", "dpo", "evaluate", "kto", "sft"),
    "trainer.evaluation.report": ("Report",),
    "trainer.training.masked_trl": ("MaskedDPOTrainer", "MaskedPreferenceCollator"),
    "treegraft.errors": ("TreegraftError",),
    "treegraft.push.api": ("push_to_hub",),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'treegraft' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
