"""What Python's `site` module does at the start, without running the machine's own code.

The supervisor is started with -S. Otherwise every node would carry whatever a `.pth` file or a
`sitecustomize` of the machine's Python imports, and agent code could find it.
"""

import os
import site
import sys


def prepare() -> None:
    """Make installed packages importable, and define `exit`, `help` and the like."""
    for folder in site.getsitepackages():
        for place in (folder, *_named_in(folder)):
            if os.path.isdir(place) and place not in sys.path:
                sys.path.append(place)
    site.setquit()
    site.setcopyright()
    site.sethelper()


def _named_in(folder: str) -> list[str]:
    """Return the paths in the folder's `.pth` files; skip lines of code."""
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
