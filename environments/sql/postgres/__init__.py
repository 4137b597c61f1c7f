"""Databases that the agent changes, on a Postgres server."""
