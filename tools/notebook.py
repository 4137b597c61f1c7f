"""Write examples/quickstart.ipynb from the cells of examples/quickstart.py."""

import json
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "examples" / "quickstart.py"


def notebook(source: str) -> str:
    """Return the notebook of a script whose cells begin with `# %%`."""
    cells = []
    for number, part in enumerate(source.split("# %%")[1:]):
        head, _, body = part.partition("\n")
        lines = body.strip().splitlines()
        cell = {"id": f"cell-{number}", "metadata": {}}
        if "markdown" in head:
            text = [line[2:] for line in lines]
            cell |= {"cell_type": "markdown", "source": "\n".join(text)}
        else:
            cell |= {"cell_type": "code", "execution_count": None, "outputs": []}
            cell |= {"source": "\n".join(lines)}
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    whole = {
        "cells": cells,
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SOURCE.with_suffix(".ipynb").write_text(notebook(SOURCE.read_text("utf-8")), "utf-8")
