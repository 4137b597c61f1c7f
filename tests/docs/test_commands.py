"""The documents name commands and flags that exist, and every command and flag is documented."""

import re
import shlex
from pathlib import Path

import click
import pytest
import typer

import treegraft
import treegraft.commands
from environments.registry import ENTRY_POINTS, options_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = {name: ROOT / "docs" / f"{name}.md" for name in ("engine", "trainer")}


def commands(name: str, command: click.Command) -> dict[str, set[str]]:
    """Full name -> flags of every command below `command` that does something."""
    if isinstance(command, typer.core.TyperGroup):
        found = {}
        for child in command.list_commands(None):
            found |= commands(f"{name} {child}", command.get_command(None, child))
        return found
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    flags = {flag for p in shown for flag in (*p.opts, *p.secondary_opts)}
    return {name: {flag for flag in flags if flag.startswith("-")} | {"--help"}}


COMMANDS = {
    **commands("engine", typer.main.get_command(treegraft.commands.engine_app())),
    **commands("trainer", typer.main.get_command(treegraft.commands.trainer_app())),
}


def world_flags(names) -> set[str]:
    """The options of worlds, which are flags of the commands that take `--env`."""
    worlds = [name for name in names if name in ENTRY_POINTS]
    return {f"--{o.name.replace('_', '-')}" for name in worlds for o in options_of(name)}


def mentions() -> list[tuple[str, str]]:
    """(file, command line) of every line of code that calls engine or trainer."""
    found = []
    for file in DOCUMENTS:
        text = file.read_text("utf-8")
        blocks = re.findall(r"```(?:bash|sh|console)\n(.*?)```", text, re.DOTALL)
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        lines += re.findall(r"`([^`\n]+)`", prose)
        for line in lines:
            line = line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
            if re.match(r"(engine|trainer) [a-z-]", line):
                found.append((file.name, line.split(" #")[0]))
    return found


@pytest.mark.parametrize(("file", "line"), mentions())
def test_what_the_documents_name_exists(file, line):
    words = shlex.split(line)
    for length in (3, 2):
        name = " ".join(words[:length])
        if name in COMMANDS:
            break
    else:
        groups = {known.rsplit(" ", 1)[0] for known in COMMANDS}
        assert " ".join(words[:2]) in groups or words[1].startswith("-"), f"{file}: no {line!r}"
        return
    flags = {word.split("=")[0] for word in words[length:] if re.match(r"--?[a-z]", word)}
    known = COMMANDS[name] | (world_flags(words) if "--env-arg" in COMMANDS[name] else set())
    assert flags <= known, f"{file}: {name} has no {flags - known}"


def test_flags_named_in_passing_exist():
    known = set().union(*COMMANDS.values()) | world_flags(ENTRY_POINTS)
    others = {"--as-pid-1", "--die-with-parent"}  # bubblewrap's
    others |= {"--no-deps", "--index-url", "--installer"}  # pip's, make package's
    others |= {"--build-arg", "--privileged", "--security-opt", "--volume"}  # Docker's
    for file in DOCUMENTS:
        named = set(re.findall(r"`(--[a-z][a-z0-9_-]+)", file.read_text("utf-8")))
        assert named - known - others == set(), file.name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_flag_is_documented(name):
    text = REFERENCE[name.split()[0]].read_text("utf-8")
    _, heading, section = text.partition(f"\n## `{name}`\n")
    assert heading, f"{name} has no section"
    section = section.partition("\n## ")[0]
    flags = COMMANDS[name] - {"--help"}
    assert {flag for flag in flags if f"`{flag}" not in section} == set()


def test_every_link_leads_somewhere():
    for file in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", file.read_text("utf-8")):
            if "://" not in target:
                assert (file.parent / target).exists(), f"{file.name}: {target}"


def test_every_public_name_is_in_the_reference():
    listed = re.findall(
        r"^::: treegraft\.(\w+)$", (ROOT / "docs" / "api.md").read_text("utf-8"), re.M
    )
    assert sorted(listed) == sorted(treegraft.__all__)


def test_every_page_is_in_the_sites_navigation():
    nav = (ROOT / "mkdocs.yml").read_text("utf-8")
    pages = {str(file.relative_to(ROOT / "docs")) for file in (ROOT / "docs").rglob("*.md")}
    assert {page for page in pages if f" {page}\n" not in nav} == set()
