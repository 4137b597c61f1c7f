"""The optional packages that an environment needs, and how to install them."""

from importlib.util import find_spec

from environments.base import ToolEnv
from environments.errors import UnknownEnvironment

MODULES: dict[str, tuple[str, ...]] = {
    "alfworld": ("textworld", "fast_downward"),
    "bfcl": ("bfcl_eval", "mpmath"),
    "browser": ("playwright",),
    "mcp": ("mcp",),
    "openenv": ("openenv",),
    "textworld": ("jericho",),
}
"""The modules that an extra of pyproject.toml brings along, by the extra's name."""
COMMANDS = {"bfcl": "pip install --no-deps bfcl-eval && pip install 'treegraft[bfcl]'"}
"""How to install an extra that needs more than its name: bfcl-eval pins versions of its own."""


class ExtraMissing(UnknownEnvironment):
    """An environment's packages are not installed.

    Attributes:
        extra: The extra that has them.
    """

    def __init__(self, name: str, extra: str) -> None:
        super().__init__(name, extra)
        self.name, self.extra = name, extra

    def __str__(self) -> str:
        command = COMMANDS.get(self.extra, f"pip install 'treegraft[{self.extra}]'")
        return f"{self.name} needs packages that are not installed: {command}"


def require_extra(name: str, env: type[ToolEnv]) -> None:
    """Check that the packages of the extra that `env` names are there.

    Raises:
        ExtraMissing: They are not.
    """
    require_modules(name, env.extra)


def require_modules(name: str, extra: str) -> None:
    """Check that the packages of an extra are there, for the environment `name`.

    Raises:
        ExtraMissing: They are not.
    """
    if any(find_spec(module) is None for module in MODULES.get(extra, ())):
        raise ExtraMissing(name, extra)
