"""OpenEnv's environments as worlds: in this process, or behind a server's address."""
