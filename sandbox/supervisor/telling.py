"""What the engine is told of a run."""

from .interpreter import TRACEBACK_CHARS
from .jobs import Job, Run
from .wire import Message


def told(run: Run, job: Job) -> Message:
    """For the engine. What the node sent is looked at for its kind: it may send anything."""
    output, missing = job.output.text()
    return {
        "why": run.why,
        "output": output,
        "truncated": missing,
        "value": _text_of(run.reply, "value", job.limits["value_chars"]),
        "exception": _text_of(run.reply, "exception", TRACEBACK_CHARS + 100),
        "status": run.status,
        "seconds": run.seconds,
    }


def _text_of(reply: Message, key: str, most: int) -> str | None:
    found = reply.get(key)
    if not isinstance(found, str):
        return None
    return found[:most].encode("utf-8", "replace").decode()  # half characters are none
