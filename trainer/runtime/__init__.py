"""Load models; know the machine and the processes of a run."""
