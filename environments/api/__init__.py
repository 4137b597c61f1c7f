"""Web services behind function calls, as in ToolBench: simulated ones, or recorded answers."""
