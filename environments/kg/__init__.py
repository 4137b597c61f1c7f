"""Questions over a knowledge graph, answered step by step with sets of entities."""
