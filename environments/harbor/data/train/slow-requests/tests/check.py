"""Compare the list of slow paths with one made anew from the log that the image had."""

import sys
from pathlib import Path

EXPECTED = ["/pay 2", "/search 2", "/cart 1"]

found = Path("/app/slow.txt")
sys.exit(0 if found.is_file() and found.read_text().split("\n")[:-1] == EXPECTED else 1)
