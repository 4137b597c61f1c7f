"""Which server runs the model: vLLM if installed, else the built-in one, else `transformers serve`.

The order follows measured speed (docs/decisions.md) and features: `transformers serve` silently
ignores `n`, `logprobs` and JSON schemas.
"""

from collections.abc import Callable
from dataclasses import replace

from engine.terminal import say
from engine.web import listen
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
    for backend in others:
        try:
            return _serve_with(backend, options, ready)
        except child_process.ServerStartError as error:
            say(f"{error}; trying the next backend")
    return _serve_with(last, options, ready)


def _serve_with(backend: str, options: ServeOptions, ready: Ready) -> str:
    if backend == "builtin":
        return builtin.run(options, ready)
    # The other servers do not report which port they chose, so choose one that is free now.
    with listen(options.host, options.port) as listener:
        port = listener.getsockname()[1]
    command = (_vllm if backend == "vllm" else _transformers)(replace(options, port=port))
    return child_process.run(command, backend, options.base_url(port), ready)


def candidates(options: ServeOptions) -> list[str]:
    """Return the backends to try, in order.

    Raises:
        TrainerError: there is none.
    """
    if options.backend != "auto":
        return [options.backend]
    if options.eft:
        return ["builtin"]
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


def _vllm(options: ServeOptions) -> external.ServerCommand:
    from trainer.tokens.chat_template import load_chat_template

    program = external.find_vllm()
    if not program:
        raise TrainerError("vLLM is not installed: pip install vllm, or use --backend builtin")
    hermes = external.writes_hermes(load_chat_template(options.model))
    return external.vllm_command(program, options, hermes=hermes)


def _transformers(options: ServeOptions) -> external.ServerCommand:
    program = external.find_transformers()
    if not program:
        raise TrainerError("`transformers serve` needs pip install 'transformers[serving]'")
    return external.transformers_command(program, options, bf16=fast_bf16())
