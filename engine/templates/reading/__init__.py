"""Read what models really write: one tolerant reader for the calls in replies of any template."""
