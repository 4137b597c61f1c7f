"""Measure a student in the environments and report the result."""
