"""Full-text search as Lucene computes it, without Java: what WebShop's Pyserini index answers.

`cache.open_index` is the door. A text becomes tokens (`tokens`, `characters`), tokens become terms
(`analysis`, `stemming`), documents become an index (`postings`, `blocks`, `strings`) that is kept
as one memory-mapped file (`storage`, `cache`), and an index ranks (`index`, `bm25`).
"""
