"""`python -m trainer` is the `trainer` command."""

import os
import sys
from pathlib import Path

# As in `engine.__main__`: no module of the user's may replace one of ours.
if sys.path[0] == os.getcwd() != str(Path(__file__).parents[1]) and not sys.flags.safe_path:
    del sys.path[0]

from treegraft.commands import trainer

trainer()
