"""Make thoughts for the actions of trajectories that have none, and check them."""
