"""Harbor's task folders as a world: a container, a shell, and tests that leave a reward."""
