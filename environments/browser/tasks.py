"""The tasks: `tasks.jsonl` in a folder whose folder `sites` has a folder of files for each host.

A record has `id`, `prompt`, `start` (an address), `split`, `group`, and what is right: `answer` (a
list of accepted ones), `sent` (what forms must have sent, in order), or `shop` (the id of a task of
the web shop). `solution` is optional: calls with `tool`, `arguments`, `thought` and `mistakes`.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from environments.browser.sites import SHOP
from environments.errors import DataError
from environments.records import BadRecord, Faults, Record, make_tasks, read_records
from environments.types import Action, Task
from environments.webshop.env import WebShopEnv

BUNDLED = Path(__file__).parent / "data"
FILE = "tasks.jsonl"
FINDABLE = (
    *("answer", "solution.arguments", "solution.mistakes.arguments"),
    *("sent.host", "sent.path", "sent.fields"),
)
"""Pages show an answer and the names of what is clicked; a prompt tells what to send."""


def read_tasks(folder: Path, split: str, *, strict: bool) -> list[Task]:
    """Return the tasks of a split.

    Raises:
        DataError: there is none; or, if `strict`, a record is bad.
    """
    if not (folder / "sites").is_dir():
        raise DataError(f"{folder}: has no folder sites, with a folder of files for each host")
    faults = Faults(strict)
    found = make_tasks(read_records(folder / FILE, faults), _task, faults)
    faults.report()
    tasks = [task for task in found if task.split in ("", split)]
    if not tasks:
        known = ", ".join(sorted({task.split for task in found}))
        raise DataError(f"{folder / FILE}: no task of split {split!r}; the splits: {known}")
    return tasks


def _task(record: Record) -> Task:
    fields, shop = record.fields, record.maybe("shop")
    secret: dict[str, Any] = {
        name: fields[name] for name in ("answer", "sent", "solution") if name in fields
    }
    if "answer" in secret:
        record.texts("answer", needed=True)
    if not (shop or "answer" in secret or "sent" in secret):
        raise BadRecord(record.place, "needs one of answer, sent and shop")
    if not isinstance(secret.get("sent", []), list):
        raise BadRecord(record.place, "field 'sent' must be a list of objects")
    start = f"http://{SHOP}/" if shop else record.text("start")
    secret["sent"] = [_sent(record, each) for each in secret.get("sent", [])]
    id = record.text("id")
    task = Task(
        id,
        record.text("prompt"),
        secret=secret,
        findable=FINDABLE,
        details={"start": start, "shop": shop},
        tags={"site": urlsplit(start).hostname or ""},
        group=record.maybe("group") or id,
        split=record.maybe("split"),
    )
    if _calls(secret.get("solution")) is None:
        raise BadRecord(record.place, "field 'solution' must be a list of calls of tool, arguments")
    return task


def _sent(record: Record, given: Any) -> dict[str, Any]:
    try:
        return {
            "host": str(given["host"]),
            "path": str(given["path"]),
            "fields": {str(name): str(value) for name, value in given["fields"].items()},
        }
    except (TypeError, KeyError, AttributeError) as error:
        raise BadRecord(
            record.place, "each of 'sent' must be an object of host, path and fields"
        ) from error


def actions_of(calls: Any) -> list[Action] | None:
    """Return the actions that a record's calls are; None if it gives none."""
    return _calls(calls) if calls is not None else None


def _calls(calls: Any) -> list[Action] | None:
    """Return calls as actions; [] for None, and None if they are malformed."""
    try:
        return [
            Action(call["tool"], dict(call.get("arguments", {})), str(call.get("thought", "")))
            for call in calls or ()
        ]
    except (TypeError, KeyError, AttributeError, ValueError):
        return None


def shop_task(shop: WebShopEnv | None, task: Task) -> Task | None:
    """Return the task of the web shop that `task` is about; None if it is about another site.

    Raises:
        DataError: the shop has no such task.
    """
    if shop is None or not task.details["shop"]:
        return None
    for each in shop.tasks:
        if each.id == task.details["shop"]:
            return each
    raise DataError(f"{task.id}: the web shop has no task {task.details['shop']!r} of its split")
