"""Generator of the bundled tasks of the world "os"; the same source gives the same bytes."""
