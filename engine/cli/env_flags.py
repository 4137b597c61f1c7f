"""Flags for an environment's own options: `--env-arg key=value`."""

from dataclasses import dataclass, field, fields
from typing import Any

from engine.panels import TASKS

_OLD = {"old": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFlags:
    """An environment's own options.

    Attributes:
        env_arg: An option of the environment, as key=value; repeat it for more. `engine envs NAME`
            lists them.
        db: Now --env-arg db=...
        format: Now --env-arg format=...
        partial: Now --env-arg partial=true.
        goals: Now --env-arg goals=...
        observation: Now --env-arg observation=...
        schema: Now --env-arg schema=...
    """

    env_arg: tuple[str, ...] = field(
        default=(), metadata={"panel": TASKS, "default": "the environment's defaults"}
    )
    # Version 0.1 had a flag for each option of the bundled environments.
    db: str | None = field(default=None, metadata=_OLD)
    format: str | None = field(default=None, metadata=_OLD)
    partial: bool = field(default=False, metadata=_OLD)
    goals: str | None = field(default=None, metadata=_OLD)
    observation: str | None = field(default=None, metadata=_OLD)
    schema: str | None = field(default=None, metadata=_OLD)

    def options(self, env: str) -> dict[str, Any]:
        """Return the options for `environments.make`.

        Raises:
            UnknownEnvironment: The environment does not exist or does not take an option.
        """
        from environments.registry import parse_options

        old = [
            f"{f.name}={value}"
            for f in fields(self)
            if f.metadata.get("old") and (value := getattr(self, f.name))
        ]
        return parse_options(env, [*old, *self.env_arg])
