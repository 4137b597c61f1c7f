"""`engine rounds`: explore, export, train and evaluate from one file, again and again."""
