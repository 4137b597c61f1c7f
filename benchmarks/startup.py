"""How long `engine --help` takes, against an empty Python and against importing torch.

    python benchmarks/startup.py

Medians of 7 runs each, side by side in one run. The goal is under 0.5 s.
"""

import statistics
import subprocess
import sys
import time

RUNS = 7
PROGRAMS = {
    "python -c pass": ["-c", "pass"],
    "engine --help": ["-m", "engine", "--help"],
    "trainer --help": ["-m", "trainer", "--help"],
    "python -c 'import torch'": ["-c", "import torch"],
}


def median(arguments: list[str]) -> float:
    """Seconds of wall time."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def main() -> None:
    found = {name: median(arguments) for name, arguments in PROGRAMS.items()}
    for name, seconds in found.items():
        print(f"{name:28} {seconds:6.3f} s")
    ratio = found["engine --help"] / found["python -c pass"]
    print(f"engine --help takes {ratio:.1f} times an empty Python")


if __name__ == "__main__":
    main()
