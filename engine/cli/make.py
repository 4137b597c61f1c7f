"""The command group `engine make`: data made by a model or by rules."""

from engine.cli.lazy import lazy_app

COMMANDS = {
    "queries": ("engine.cli.make_queries:queries", "Write tasks in other words."),
    "tasks": ("engine.cli.make_tasks:tasks", "Make new tasks for a world, and check each."),
    "negatives": ("engine.cli.make_negatives:negatives", "Make tasks in which no call is right."),
    "thoughts": ("engine.cli.make_thoughts:thoughts", "Write thoughts for actions without one."),
    "templates": ("engine.cli.make_templates:templates", "Make prompt templates."),
}

make = lazy_app("make", "Make tasks, templates, thoughts and negatives.", COMMANDS)
