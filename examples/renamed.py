"""The bundled training tasks (or another folder in BIRD's layout), once more under other names:

    python examples/renamed.py TARGET [--data DIR] [--copies 3] [--seed 0] [--only-copies]
    engine explore --env bird --data TARGET --split train --schema prompt --out runs/renamed

`environments.sql.renaming` says what for. Only a training split is renamed.
"""

import argparse
import shutil
from pathlib import Path

from environments.sql.formats import data_folder
from environments.sql.renaming import rename


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path, help="a folder, made anew")
    parser.add_argument("--data", help="a folder in BIRD's layout")
    parser.add_argument("--copies", type=int, default=3, help="of each database")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-copies", action="store_true", help="not the tasks as they are")
    given = parser.parse_args()
    shutil.rmtree(given.target, ignore_errors=True)
    given.target.mkdir(parents=True)
    tasks = rename(
        data_folder(given.data),
        "train",
        given.target,
        given.copies,
        given.seed,
        originals=not given.only_copies,
    )
    print(f"{tasks} tasks in {given.target}")


if __name__ == "__main__":
    main()
