"""The command `engine doctor`."""

import json
from dataclasses import asdict
from pathlib import Path

from engine.terminal import Json


def doctor(json_: Json = False) -> None:
    """Say what this machine can do, and how to get what it lacks."""
    from engine.doctor import examine, machine

    findings = examine(Path("runs").resolve())
    if json_:
        print(json.dumps({"machine": machine(), "findings": [asdict(one) for one in findings]}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("", "", "detail", "for", "how to get it", title=machine())
    for one in findings:
        mark = "[green]yes[/green]" if one.found else "[red]no[/red]"
        table.add_row(one.name, mark, one.detail, one.needed_for, one.hint)
    Console().print(table)
