"""Our own web services and their tasks: `python -m tools.bundled.api` writes both.

`services` holds the tables, drawn from invented names, and the endpoints; `templates` holds the
tasks, which are played on the services while they are made, so that each has a solution.
"""
