"""Text adventures: generated games of TextWorld, and a user's own story files."""
