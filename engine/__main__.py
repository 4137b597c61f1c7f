"""`python -m engine` is the `engine` command."""

from treegraft.commands import engine

if __name__ == "__main__":  # not in the processes of --executor processes
    engine()
