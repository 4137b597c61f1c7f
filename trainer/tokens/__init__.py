"""Chat templates, token encoding and the token trie."""
