"""From trees to training rows: paths, pairs, filters, checks, formats."""
