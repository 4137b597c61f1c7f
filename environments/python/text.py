"""The observation of a cell: output, value and traceback, as a person would see them."""

from sandbox.protocol import Result, StepLimits

SHOWN_CHARS = 6000
"""Maximum characters of one observation; half from each end."""

WHY = {
    "timeout": "the interpreter was stopped after {seconds:g} s",
    "died": "the interpreter died ({status})",
    "flood": "the interpreter was stopped: it wrote more than {flood} MB",
    "memory": "the interpreter was stopped: it took more than {memory} MB of memory",
}


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


def failure_text(result: Result, limits: StepLimits) -> str:
    """Return the text of code that was stopped, without its output, which varies by run."""
    reason = WHY[result.why].format(
        seconds=limits.seconds,
        status=result.status or "killed",
        flood=limits.flood_bytes >> 20,
        memory=limits.memory_bytes >> 20,
    )
    return f"error: {reason}; its state is as before this call"
