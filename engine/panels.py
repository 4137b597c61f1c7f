"""Groups of flags in `--help`."""

TASKS, TEACHER, SEARCH, BUDGET = "Tasks", "Teacher", "Search", "Budget"
SANDBOX, WORKERS, OUTPUT = "Sandbox", "Workers", "Output"
