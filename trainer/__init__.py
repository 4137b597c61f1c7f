"""Train a student on rows, and measure it in environments: the `trainer` command."""
