"""Questions whose answers have to be put together from several pages of a corpus."""
