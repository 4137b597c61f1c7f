"""What Python's `site` module does at the start, without the code that it runs for others.

The supervisor is started with -S. Whatever a `.pth` file or a `sitecustomize` of the machine's own
Python imports would be carried by every node, and is nothing that agent code should find.
"""

import os
import site
import sys


def prepare() -> None:
    """Let installed packages be found, and give `exit`, `help` and their like."""
    for folder in site.getsitepackages():
        for place in (folder, *_named_in(folder)):
            if os.path.isdir(place) and place not in sys.path:
                sys.path.append(place)
    site.setquit()
    site.setcopyright()
    site.sethelper()


def _named_in(folder: str) -> list[str]:
    """The paths in the folder's `.pth` files; lines of code are passed over."""
    found: list[str] = []
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for name in names:
        if not name.endswith(".pth") or name.startswith("."):
            continue
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
                lines = [line.strip() for line in file]
        except OSError:
            continue
        found += [
            os.path.join(folder, line)
            for line in lines
            if line and not line.startswith(("#", "import ", "import\t"))
        ]
    return found
