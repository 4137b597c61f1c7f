"""The options of an environment as flags: `--env mcp --server X` for `--env-arg server=X`."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from treegraft.errors import TreegraftError

if TYPE_CHECKING:
    from environments.options import EnvOption

ENV_ARG = "--env-arg"
TRUTHS = frozenset({"true", "false", "1", "0", "yes", "no", "on", "off"})


class EnvCommand(TyperCommand):
    """A command that takes the options of the environment that its arguments name as flags.

    Its own flags come first. What is neither stays as it is, and is refused as always.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click."""
        own = {flag for each in self.params for flag in (*each.opts, *each.secondary_opts)}
        if ENV_ARG in own:
            args = list(as_env_args(args, own | {"--help"}, ctx.token_normalize_func or str))
        return super().parse_args(ctx, args)


def as_env_args(
    args: Sequence[str], own: Collection[str], spelled: Callable[[str], str]
) -> Iterator[str]:
    """Yield `args`, with options of the environment as `--env-arg name=value`.

    Args:
        own: the command's own flags, which are not touched.
        spelled: returns a flag's name, without hyphens in front, for any spelling of it.
    """
    options: Mapping[str, EnvOption] | None = None
    rest = list(reversed(args))
    while rest:
        arg = rest.pop()
        name, equals, value = arg.removeprefix("--").partition("=")
        if not arg.startswith("--") or not name or f"--{spelled(name)}" in own:
            yield arg
            continue
        if options is None:
            options = _options(args)
        option = options.get(name.replace("-", "_"))
        if option is None:
            yield arg
            continue
        if not equals:
            bare = option.annotation is bool and not (rest and rest[-1].lower() in TRUTHS)
            value = "true" if bare else rest.pop() if rest else ""
        yield from (ENV_ARG, f"{option.name}={value}")


def _options(args: Sequence[str]) -> "Mapping[str, EnvOption]":
    """Return the options of the environment that `args` name; {} if it cannot be told."""
    from environments.registry import options_of

    try:
        return {option.name: option for option in options_of(_environment(args))}
    except TreegraftError:
        return {}  # the command itself says what is wrong with the name


def _environment(args: Sequence[str]) -> str:
    """Return the environment of `--env NAME`, of a `--config FILE`, or of `serve-env NAME`."""
    if (name := _value_of("--env", args)) is not None:
        return name
    if file := _value_of("--config", args):
        from engine.cli.option_table import read_toml

        return str(read_toml(Path(file)).get("env", ""))
    return args[0] if args else ""


def _value_of(flag: str, args: Sequence[str]) -> str | None:
    """Return the value of `flag` on the command line; None if it is not there."""
    for at, arg in enumerate(args):
        if arg == flag:
            return args[at + 1] if at + 1 < len(args) else ""
        if arg.startswith(f"{flag}="):
            return arg.partition("=")[2]
    return None
