"""Our own tasks. `python -m environments.python.bundled` writes them to `environments/python/data`.

A topic is a module; whole topics are held out for the test split.
"""
