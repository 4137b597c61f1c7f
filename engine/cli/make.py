"""The command group `engine make`: data made by a model or by rules."""

from engine.cli.lazy import lazy_app

COMMANDS = {
    "tasks": ("engine.cli.make_tasks:tasks", "Make new tasks for a world, and check each."),
    "templates": ("engine.cli.make_templates:templates", "Make prompt templates."),
}

make = lazy_app("make", "Make tasks, templates, thoughts and negatives.", COMMANDS)
