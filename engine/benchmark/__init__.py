"""A benchmark by correction: the turns that people reviewed, frozen as references.

reviewed.py  which trajectories and steps count as reviewed
freeze.py    from runs to turns, each with all its accepted answers
file.py      the file of turns; a changed one is noticed
"""
