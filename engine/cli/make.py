"""The command group `engine make`: data made by a model or by rules."""

from engine.cli.lazy import lazy_app

COMMANDS = {
    "templates": ("engine.cli.make_templates:templates", "Make prompt templates."),
}

make = lazy_app("make", "Make tasks, templates, thoughts and negatives.", COMMANDS)
