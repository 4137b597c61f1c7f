"""Print the median of the numbers on standard input."""

import sys

numbers = sorted(sys.stdin.read().split())
middle = len(numbers) // 2
print(numbers[middle])
