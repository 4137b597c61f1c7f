"""Which server runs the model: vLLM if installed, else the built-in one, else `transformers serve`.

The order follows measured speed (docs/decisions.md) and features: `transformers serve` silently
ignores `n`, `logprobs` and JSON schemas.
"""

from collections.abc import Callable
from dataclasses import replace

from engine.terminal import say
from trainer.errors import TrainerError
from trainer.runtime.hardware import fast_bf16
from trainer.serving import builtin, child_process, external
from trainer.serving.options import Announcement, ServeOptions

Ready = Callable[[Announcement], None]


def serve(options: ServeOptions, ready: Ready) -> str:
    """Serve until SIGTERM or Ctrl-C. Return a summary for the user.

    Args:
        options: what to serve, and where.
        ready: called once requests are answered.

    Raises:
        UsageError: the address is not available.
        TrainerError: no installed server can run the model, or the server ended without a signal.
    """
    *others, last = candidates(options)
    for name in others:
        try:
            return _RUN[name](options, ready)
        except child_process.ServerStartError as error:
            say(f"{error}; trying the next backend")
    return _RUN[last](options, ready)


def candidates(options: ServeOptions) -> list[str]:
    """Return the backends to try, in order.

    Raises:
        TrainerError: there is none.
    """
    if options.backend != "auto":
        return [options.backend]
    reason = builtin.why_unusable(options)
    transformers = external.find_transformers() and not external.transformers_lacks(options)
    usable = {
        "vllm": bool(external.find_vllm()),
        "builtin": not reason,
        "transformers": bool(transformers),
    }
    if found := [name for name, is_usable in usable.items() if is_usable]:
        return found
    raise TrainerError(f"{options.model}: {reason}; pip install vllm, or 'transformers[serving]'")


def _vllm(options: ServeOptions, ready: Ready) -> str:
    from trainer.tokens.chat_template import renderer_of

    program = external.find_vllm()
    if not program:
        raise TrainerError("vLLM is not installed: pip install vllm, or use --backend builtin")
    options = _with_free_port(options)
    hermes = external.writes_hermes(renderer_of(options.model))
    command = external.vllm_command(program, options, hermes=hermes)
    return child_process.run(command, "vllm", options.base_url(options.port), ready)


def _transformers(options: ServeOptions, ready: Ready) -> str:
    program = external.find_transformers()
    if not program:
        raise TrainerError("`transformers serve` needs pip install 'transformers[serving]'")
    options = _with_free_port(options)
    command = external.transformers_command(program, options, bf16=fast_bf16())
    return child_process.run(command, "transformers", options.base_url(options.port), ready)


def _with_free_port(options: ServeOptions) -> ServeOptions:
    """Replace port 0 by a port that is free now: these servers do not report which they chose."""
    with options.bind() as bound:
        return replace(options, port=bound.getsockname()[1])


_RUN: dict[str, Callable[[ServeOptions, Ready], str]] = {
    "vllm": _vllm,
    "builtin": builtin.run,
    "transformers": _transformers,
}
