"""Docker: the backend, its image, and the daemon that both need."""
