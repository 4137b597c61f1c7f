"""Where tasks are searched: this process, several processes, or a Ray cluster."""
