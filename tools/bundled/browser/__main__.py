"""Write the sites and the tasks: `python -m tools.bundled.browser`.

The tasks of the shop are some of the web shop's own, with its solutions as clicks. Of every three
tasks of the sites, one is in the split "test".
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from environments.browser.tasks import BUNDLED, FILE
from environments.types import Action
from environments.webshop.env import WebShopEnv
from tools.bundled.browser import museum, town
from tools.bundled.browser.calls import Call, click, type_

SHOP_TASKS = {"train": 10, "test": 6}


def main(data: Path) -> None:
    """Replace the folder `data`."""
    shutil.rmtree(data, ignore_errors=True)
    records: list[dict[str, Any]] = []
    for site in (museum, town):
        folder = data / "sites" / site.HOST
        folder.mkdir(parents=True)
        for name, content in site.files():
            (folder / name).write_text(content, "utf-8")
        for number, task in enumerate(site.tasks()):
            split = "test" if number % 3 == 2 else "train"
            id = f"{site.HOST.partition('.')[0]}-{task.pop('name')}"
            records.append({"id": id, "split": split, "start": f"http://{site.HOST}/", **task})
    records += shop_tasks()
    lines = "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records)
    (data / FILE).write_text(lines, "utf-8")
    print(f"{len(records)} tasks")


def shop_tasks() -> Iterator[dict[str, Any]]:
    """Yield tasks of the web shop."""
    for split, count in SHOP_TASKS.items():
        shop = WebShopEnv(split=split)
        for task in list(shop.tasks)[:count]:
            right = shop.solution(task)
            yield {
                "id": f"shop-{task.id}",
                "split": split,
                "shop": task.id,
                "prompt": f"Buy in the shop what is asked for: {task.details['instruction']}",
                "group": f"shop {task.group}",
                "solution": [_as_call(one, shop.mistakes(task, one)) for one in right],
            }


def _as_call(action: Action, mistakes: list[Action]) -> Call:
    wrong = [_as_call(each, []) for each in mistakes if each.tool == action.tool][:2]
    if action.tool == "search":
        made = type_("Search", action.arguments["query"], *wrong, enter=True)
        return made | {"thought": action.thought}
    made = click(action.arguments["element"], "button", *wrong)
    return made | {"thought": action.thought} if action.thought else made


if __name__ == "__main__":
    main(BUNDLED)
