"""Configs and runs from flat options, as the command line gives them."""

from pathlib import Path
from typing import Any

from engine.api import explore_config
from engine.config import Config, config_of
from engine.runs.explore import Summary


def make_config(env: str, **options: Any) -> Config:
    """Return the config that these flags would make."""
    return config_of({"env": env, **options})


def run(config: Config, out: Path, **how: Any) -> Summary:
    """Explore, and return what was done."""
    return explore_config(config, out, **how).summary
