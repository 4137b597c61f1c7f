"""`engine rounds`: the whole loop from one file, over and over, on the tasks still unsolved."""
