"""Writes docs/engine.md and docs/trainer.md from the commands themselves: `make docs`."""

from pathlib import Path

import typer

import treegraft.commands

HERE = Path(__file__).parent


def reference(name: str, app: typer.Typer) -> str:
    """The commands of `app` with their arguments, flags and defaults, as Markdown."""
    parts = [
        f"# `{name}`\n\n{app.info.help}\n\nWritten by `make docs` from the command's own help."
    ]
    parts += _sections(name, typer.main.get_command(app))
    return "\n".join(parts) + "\n"


def _sections(name: str, command: object) -> list[str]:
    if isinstance(command, typer.core.TyperGroup):
        children = (
            (child, command.get_command(None, child)) for child in command.list_commands(None)
        )
        return [part for child, below in children for part in _sections(f"{name} {child}", below)]
    assert isinstance(command, typer.core.TyperCommand)
    lines = [f"\n## `{name}`\n", f"{command.help}\n", "| | default | |", "|---|---|---|"]
    for parameter in command.params:
        if not isinstance(parameter, (typer.core.TyperOption, typer.core.TyperArgument)):
            continue
        flags = ", ".join(f"`{flag}`" for flag in (*parameter.opts, *parameter.secondary_opts))
        if getattr(parameter, "hidden", False):
            continue
        shown = parameter.show_default
        default = shown if isinstance(shown, str) else parameter.default
        default = "required" if parameter.required else default
        is_argument = isinstance(parameter, typer.core.TyperArgument)
        named = f"`{(parameter.name or '').upper()}`" if is_argument else flags
        if named != "`--help`":
            blank = default is None or default is False or default == "" or callable(default)
            lines.append(f"| {named} | {'' if blank else default} | {parameter.help or ''} |")
    return lines


if __name__ == "__main__":
    for name, app in (
        ("engine", treegraft.commands.engine_app()),
        ("trainer", treegraft.commands.trainer_app()),
    ):
        (HERE / f"{name}.md").write_text(reference(name, app), "utf-8")
