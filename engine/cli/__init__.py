"""The `engine` command. Commands parse flags, call the Python API and print."""
