"""Questions over SQLite databases, in BIRD's and Spider's layouts. The environments: `env`."""
