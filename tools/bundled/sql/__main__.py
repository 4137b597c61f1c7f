"""Rewrite every bundled database and its descriptions: `python -m tools.bundled.sql`."""

from pathlib import Path

from environments.sql.tasks.formats import BUNDLED
from tools.bundled.sql import DATABASES
from tools.bundled.sql.build import write


def main(data: Path) -> None:
    """Write `data/<split>_databases/<db_id>/` for every database."""
    for split, sources in DATABASES.items():
        for source in sources:
            path = write(source, data / f"{split}_databases")
            print(f"{path} {path.stat().st_size} bytes")


if __name__ == "__main__":
    main(BUNDLED)
