"""Databases that the agent changes, as SQLite copies in a sandbox."""
