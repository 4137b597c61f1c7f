"""Generate with a model in this process."""
