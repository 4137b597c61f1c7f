"""The command group `engine make`: data made by a model or by rules."""

from engine.cli.lazy import lazy_app

COMMANDS: dict[str, tuple[str, str]] = {
    "thoughts": ("engine.cli.make_thoughts:thoughts", "Write thoughts for actions without one."),
}

make = lazy_app("make", "Make tasks, templates, thoughts and negatives.", COMMANDS)
