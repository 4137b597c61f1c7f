"""`engine cache`: list and prune the journal of paid replies."""

import json
from pathlib import Path
from typing import Annotated

import typer

from engine.terminal import Json, say

cache = typer.Typer(help="The journal of paid replies.", no_args_is_help=True)

JournalFile = Annotated[Path, typer.Option("--journal", help="Journal file.", show_default=True)]


@cache.command("list")
def cache_list(
    journal: JournalFile = Path("runs/journal.db"),
    model: Annotated[str | None, typer.Option(help="Only replies of this model.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most replies to list, newest first.")] = 20,
    json_: Json = False,
) -> None:
    """List paid replies."""
    from dataclasses import asdict

    from engine.chat.cache import entries, totals

    found = entries(journal, model=model, limit=limit)
    whole = totals(journal)
    if json_:
        print(json.dumps({"totals": asdict(whole), "entries": [asdict(e) for e in found]}))
        return
    for entry in found:
        values = asdict(entry) | ({"usd": "price unknown"} if entry.usd is None else {})
        print("\t".join(str(value) for value in values.values()))
    shown = {name: value for name, value in asdict(whole).items() if name != "unpriced"}
    if whole.unpriced:
        shown["usd"] = f"{whole.usd:g} and the unknown price of {whole.unpriced} replies"
    say(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items()))


@cache.command("prune")
def cache_prune(
    journal: JournalFile = Path("runs/journal.db"),
    older_than_days: Annotated[
        float | None, typer.Option(min=0, help="Only older replies.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Only replies of this model.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Only replies of this endpoint.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="All replies.")] = False,
) -> None:
    """Delete paid replies. A resumed run pays for them again."""
    from engine.chat.cache import prune
    from engine.errors import UsageError
    from treegraft.ranges import check_range

    if not all_ and older_than_days is None and model is None and base_url is None:
        raise UsageError("say what to delete: --older-than-days, --model, --base-url or --all")
    check_range("--older-than-days", older_than_days, {"min": 0})
    number = prune(journal, older_than_days=older_than_days, model=model, base_url=base_url)
    say(f"{number} replies deleted from {journal}")
