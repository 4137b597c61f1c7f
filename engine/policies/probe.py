"""Check the student's server before a run begins, and before anything is spent."""

from engine.chat.base import ChatRequest
from engine.errors import UsageError
from engine.policies.student_endpoint import StudentEndpoint, extra
from search.policy import PolicyError

_TOKENS = 16


async def probe(student: StudentEndpoint, threshold: float) -> None:
    """Send the student's server one short request.

    It bypasses the journal, because an old reply says nothing about today's server.

    Raises:
        UsageError: The server does not answer, refuses, or sends no log-probabilities although the
            threshold needs them.
    """
    hello = [{"role": "user", "content": "Hello."}]
    sampling = {"max_tokens": _TOKENS, **extra(threshold)}
    try:
        endpoint = student.spec().open(1)
        try:
            reply = await endpoint.complete(ChatRequest(student.model, hello, [], sampling))
        finally:
            await endpoint.aclose()
    except PolicyError as error:
        raise UsageError(f"--student {student.public}: {error}") from error
    # The reply may be empty: one token, which ends it, and has no log-probability.
    if None in reply.logprobs and reply.messages[0].get("content"):
        raise UsageError(
            f"--student {student.public} returns no log-probabilities: use a server that does "
            "(vLLM), or --student-threshold=-inf to trust every call that can be parsed"
        )
