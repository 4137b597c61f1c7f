"""Compare the merged settings with the right ones."""

import json
import sys

EXPECTED = {"port": 9000, "log": {"level": "debug"}, "hosts": ["c"], "debug": True}

try:
    with open("/app/merged.json") as file:
        found = json.load(file)
except (OSError, ValueError):
    sys.exit(1)
sys.exit(0 if found == EXPECTED else 1)
