"""Untrusted SQL over SQLite: the host (queries) and the programs that run inside."""
