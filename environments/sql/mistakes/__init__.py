"""Plausible wrong queries and statements, for the demonstration teacher."""
