"""Making data: tasks, templates, thoughts and negatives, by a model or by rules."""
