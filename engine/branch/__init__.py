"""Branching the failed paths of a run, so that they become pairs and recovery rows."""
