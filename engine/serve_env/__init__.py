"""A world of ours behind OpenEnv's protocol: `engine serve-env`."""
