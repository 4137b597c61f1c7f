"""New tasks for the read-only databases: by a grammar of queries, or written by a model."""
