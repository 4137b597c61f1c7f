"""Judging the steps of a run: process supervision, by rules or by a model."""
