"""Print the median of the numbers on standard input."""

import statistics
import sys

numbers = [float(word) for word in sys.stdin.read().split()]
if not numbers:
    print("nothing")
    sys.exit(1)
print(f"{statistics.median(numbers):.1f}")
