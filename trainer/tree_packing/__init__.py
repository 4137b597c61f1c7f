"""Tree packing: a batch whose rows begin alike is computed as one trie, each shared token once.

grouping.py            which rows go together, within a budget of tokens
batches.py             whether to pack, and the batches that a trainer gets
supported.py           which models can be packed, with a trial
forward.py             the model's forward: rows in, log-probabilities of rows out, a trie between
attention.py           a token attends to its ancestors and itself, nowhere else
attention_segments.py  how a CPU computes that; everywhere else torch gets a mask
"""
