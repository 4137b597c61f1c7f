"""New tasks for a world: from rules, from a model, or from gold answers; each is checked."""
