"""A student behind an OpenAI-compatible address: `trainer serve`."""
