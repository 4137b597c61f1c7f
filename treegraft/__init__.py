"""Treegraft: search tool environments, turn trees into training rows, train a student."""
