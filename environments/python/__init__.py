"""Programming and calculation in a live interpreter. The environment: `env`."""
