"""Policies that propose actions: teacher, demonstration, student first; and the judge."""
