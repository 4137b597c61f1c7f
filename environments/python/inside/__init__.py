"""What runs inside the sandbox: standard library only, and installed there as text.

`value_codec` says how values travel; `grader` computes a verdict in a fork of the untouched root;
`candidate` holds the answer's code, in a process of its own; `cells` serves the tools. They import
each other relatively, so that they are one package here and, under another name, inside.
"""
