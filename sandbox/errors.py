"""The root of Treegraft's exceptions, and the sandbox's own.

Every error that a user can cause or mend derives from `TreegraftError`: the commands print it as
one line and exit with 2. Anything else that is raised is a defect and keeps its traceback.
"""


class TreegraftError(Exception):
    """Something that the user can act on; the message says what to do."""


class SandboxError(TreegraftError):
    """The sandbox itself failed (start, transport). What the agent's code does is a result."""


class StateLost(SandboxError):
    """A saved state is gone (evicted, killed); whoever holds the path to it can replay it."""
