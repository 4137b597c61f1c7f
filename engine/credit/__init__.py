"""The value of each state of a run: a policy plays on from it (`engine credit`)."""
