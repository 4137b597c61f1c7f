"""`engine make queries`: tasks whose prompts are written in other words.

rules.py     typos and simple paraphrases, without a model
asking.py    what a model is asked: for other words, and whether they mean the same
checks.py    what is wrong with a new prompt
make.py      from the tasks of a world to new tasks
"""
