"""`python -m engine` is the `engine` command."""

import os
import sys
from pathlib import Path

# `python -m` puts the working directory first on the path, and a user's own `search.py` there would
# replace ours. A checkout of this project may be the working directory: that one stays.
if sys.path[0] == os.getcwd() != str(Path(__file__).parents[1]) and not sys.flags.safe_path:
    del sys.path[0]

from treegraft.commands import engine

if __name__ == "__main__":  # not in the processes of --executor processes
    engine()
