"""What is measured of a student, one concern a file.

rates.py        a proportion, a mean, and their 95 % intervals
pass_at.py      pass@k of several chains a task
mistakes.py     format errors, unknown tools, repeats, loops, ... and where to look at one
likeness.py     how alike two texts, or the arguments of two calls, are
references.py   the turns of reference trajectories, from a run or from rows
kagent.py       what a reply at such a turn is worth
forced.py       the student asked at each of them, and what it comes to
trajectories.py a trajectory as text, for whoever judges it
judging.py      a judge's score of it, from 1 to 5
sheets.py       the same by people, over spreadsheets
scores.py       what the scores come to, and how far two judges agree
general.py      the loss on held-out general chat
harness.py      the tasks of EleutherAI's lm-eval
asking.py       many requests at once, over the journal
plain.py        figures as JSON and back
"""
