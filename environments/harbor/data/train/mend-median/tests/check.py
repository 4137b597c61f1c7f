"""Try the program, and leave a reward for each kind of input."""

import json
import subprocess

CASES = {
    "order": [("9 10 100", "10.0", 0), ("-3 5 -20", "-3.0", 0)],
    "even": [("1 2 3 4", "2.5", 0), ("7 -7", "0.0", 0)],
    "empty": [("", "nothing", 1), (" \n", "nothing", 1)],
}


def right(given: str, prints: str, status: int) -> bool:
    """Return whether the program prints and ends as it should."""
    done = subprocess.run(
        ["python3", "/app/median.py"], input=given, capture_output=True, text=True, timeout=20
    )
    return (done.stdout.strip(), done.returncode) == (prints, status)


rewards = {name: float(all(right(*case) for case in cases)) for name, cases in CASES.items()}
with open("/logs/verifier/reward.json", "w") as file:
    json.dump(rewards, file)
