"""Learn from rows and measure the result: the `trainer` command."""
