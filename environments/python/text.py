"""The observation of a cell: output, value and traceback, as a person would see them."""

from sandbox.protocol import Result

SHOWN_CHARS = 6000
"""Maximum characters of one observation; half from each end."""


def shown(text: str, missing: int = 0) -> str:
    """Cut `text` in the middle; `missing` characters were left out of it before."""
    if len(text) <= SHOWN_CHARS:
        return text
    half = SHOWN_CHARS // 2
    left_out = len(text) - 2 * half + missing
    return f"{text[:half]}\n... {left_out} characters left out ...\n{text[-half:]}"


def cell_text(result: Result) -> str:
    """Return the text of code that ran to its end."""
    parts = [result.output.rstrip("\n"), result.value or "", (result.exception or "").rstrip("\n")]
    return shown("\n".join(filter(None, parts)), result.truncated) or "(no output)"
