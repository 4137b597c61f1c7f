"""Tree packing: a batch whose rows begin alike is computed as one trie, each shared token once.

splitting.py   which rows go together, within a budget of tokens
batches.py     whether to pack, and the batches that a trainer gets
support.py     which models can be packed, and a trial of it
forward.py     the model's forward: rows in, log-probabilities of rows out, a trie in between
attention.py   a token looks at its ancestors and itself, nowhere else
segments.py    how that is done on a CPU
flex.py        how it is done on a GPU
runs.py        how it is done anywhere, and what the others are compared with
"""
