"""Our own tasks. `python -m tools.bundled.python` writes them to `environments/python/data`.

A topic is a module; whole topics are held out for the test split.
"""
