#!/bin/bash
set -e
python3 - <<'PYTHON'
import json
import os
from pathlib import Path


def merge(old, new):
    for key, value in new.items():
        if value is None:
            old.pop(key, None)
        elif isinstance(value, dict) and isinstance(old.get(key), dict):
            merge(old[key], value)
        else:
            old[key] = value
    return old


merged = {}
for path in sorted(Path(os.environ["SETTINGS"]).glob("*.json")):
    merge(merged, json.loads(path.read_text()))
Path("/app/merged.json").write_text(json.dumps(merged, indent=2))
PYTHON
