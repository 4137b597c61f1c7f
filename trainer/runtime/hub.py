"""What goes wrong with an upload to the Hugging Face Hub, as one line that says what to do."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from treegraft.errors import TreegraftError


class HubError(TreegraftError):
    """The hub, or the way to it, refused an upload."""


_LOG_IN = "set HF_TOKEN to a token that may write, or run `hf auth login`"
_REFUSED = {
    401: f"the hub does not accept the token: {_LOG_IN}",
    403: f"the token may not write there: {_LOG_IN}",
    404: "the hub finds no such repository or revision",
    409: "something else changes the repository at this moment",
    413: "the hub takes no files of that size",
    429: "the hub asks for fewer requests: wait a while",
}
_TOKEN = re.compile(r"hf_\w+|Bearer \S+")


def endpoint() -> str | None:
    """Return the hub's address from HF_ENDPOINT; None for the hub itself."""
    return os.environ.get("HF_ENDPOINT") or None


def check_token(place: str, then: str) -> None:
    """Check that there is a token to upload with.

    Args:
        place: What is written to, for the message.
        then: How to go on, for the message.

    Raises:
        HubError: There is none.
    """
    from huggingface_hub import get_token

    if get_token() is None:
        raise HubError(f"cannot push to {place}: no token: {_LOG_IN}; {then}")


@contextmanager
def uploading(place: str, then: str, *, alone: bool = True) -> Iterator[None]:
    """Report what the hub or the network refuses.

    Args:
        place: What is written to, for the message.
        then: How to go on, for the message.
        alone: Whether nothing but an upload runs here, so that any failure is one of it: the
            storage's client raises errors that say nothing of their origin.

    Raises:
        HubError: The upload failed.
    """
    from huggingface_hub.errors import HFValidationError

    try:
        yield
    except HFValidationError as error:
        raise HubError(f"cannot push to {place}: {_short(error)}") from error
    except (OSError, _transport(), RuntimeError, ValueError) as error:
        why = _reason(error) or (f"{type(error).__name__}: {_short(error)}" if alone else "")
        if not why:
            raise
        raise HubError(f"cannot push to {place}: {why}; {then}") from error


def _transport() -> type[Exception]:
    """Return the root of the HTTP client's errors: of httpx, or of httpx2, as it is called now."""
    from huggingface_hub.errors import HfHubHTTPError

    found: type[Exception] = HfHubHTTPError.__bases__[0]
    return found


def _reason(error: BaseException) -> str:
    """Return why an upload failed, or "" if `error` is about something else."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set: unset it"
    if isinstance(error, HfHubHTTPError):
        code = error.response.status_code
        known = _REFUSED.get(code, "the hub has a fault" if code >= 500 else "")
        told = f": {_short(error.server_message)}" if error.server_message else ""
        return f"{known or 'the hub refuses it'} (status {code}{told})"
    if isinstance(error, _transport()):
        return f"the hub cannot be reached ({type(error).__name__})"
    if isinstance(error, ConnectionError):
        return f"the hub cannot be reached ({_short(error)})"
    if str(error).startswith("LFS batch API"):
        return _short(error)
    # The uploader's threads wrap what they met.
    return _reason(error.__cause__) if error.__cause__ else ""


def _short(error: object) -> str:
    return _TOKEN.sub("(token)", " ".join(str(error).split()))[:300]
