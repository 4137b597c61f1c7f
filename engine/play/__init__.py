"""Let a person act in an environment, and record what they do."""
