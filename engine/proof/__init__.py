"""`engine validate --proof`: what was tried on a world's tasks, as a signed file.

`prove` plays solutions, nothing, and a panel of cheaters; `identity` names what was tried by
hashes; `document` writes, signs and verifies the file.
"""
