"""Explore many tasks, keep their trees, export rows: the `engine` command."""
