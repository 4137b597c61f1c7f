"""Other systems' runs: conversations in their formats become trees, and trees such files.

A reader (`chat`, `atif`, `verifiers`) only knows its format: it yields each `Conversation` of a
file. `turns` makes steps of one, `merge` trees of many, and `import_run` a run of them all.
"""
