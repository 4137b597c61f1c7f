"""The command group `engine make`: data made by a model or by rules."""

from engine.cli.lazy import lazy_app

COMMANDS: dict[str, tuple[str, str]] = {
    "queries": ("engine.cli.make_queries:queries", "Write tasks in other words."),
    "tasks": ("engine.cli.make_tasks:tasks", "Make new tasks for a world, and check each."),
}

make = lazy_app("make", "Make tasks, templates, thoughts and negatives.", COMMANDS)
