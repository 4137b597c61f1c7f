"""A look at the student's server before a run begins, and before anything is paid."""

from engine.chat.base import ChatRequest
from engine.errors import UsageError
from engine.policies.student_endpoint import StudentEndpoint, extra
from search.policy import PolicyError

_TOKENS = 16


async def probe(student: StudentEndpoint, threshold: float) -> None:
    """See, by one short request, that the student answers as it must. It is not journaled: what a
    server said yesterday says nothing of today.

    Raises:
        UsageError: it does not answer, refuses, or tells no log-probabilities where these decide.
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
    # A student may have nothing to say to this: one token, which ends the reply, and tells nothing.
    if None in reply.logprobs and reply.messages[0].get("content"):
        raise UsageError(
            f"--student {student.public} returns no log-probabilities: use a server that does "
            "(vLLM), or --student-threshold=-inf to trust every call that can be parsed"
        )
