"""Where tasks are searched: in this process, or on the machines of a Ray cluster."""
