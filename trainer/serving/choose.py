"""Which server serves: vLLM where it is, else our own, else `transformers serve`.

The order is that of measured speed (docs/decisions.md), and of what they do: `transformers serve`
ignores `n`, `logprobs` and JSON schemas in silence.
"""

from collections.abc import Callable
from dataclasses import replace

from engine.terminal import say
from trainer.errors import TrainerError
from trainer.runtime.hardware import fast_bf16
from trainer.serving import builtin, child_process, external
from trainer.serving.options import Plan, Served

Ready = Callable[[Served], None]


def serve(plan: Plan, ready: Ready) -> str:
    """Serve until SIGTERM or Ctrl-C; what was done, in words.

    ready: called once requests are answered.

    Raises:
        TrainerError: nothing here can serve the model, or the server ended of itself.
    """
    *others, last = order(plan)
    for name in others:
        try:
            return _RUN[name](plan, ready)
        except child_process.DidNotStart as error:
            say(f"{error}; trying the next backend")
    return _RUN[last](plan, ready)


def order(plan: Plan) -> list[str]:
    """The backends to try. Raises: TrainerError where there is none."""
    if plan.backend != "auto":
        return [plan.backend]
    reason = builtin.unable(plan)
    usable = {
        "vllm": bool(external.vllm()),
        "own": not reason,
        "transformers": bool(external.transformers()) and not external.not_by_transformers(plan),
    }
    if found := [name for name, is_usable in usable.items() if is_usable]:
        return found
    raise TrainerError(f"{plan.model}: {reason}; pip install vllm, or 'transformers[serving]'")


def _vllm(plan: Plan, ready: Ready) -> str:
    from trainer.tokens.chat_template import load_chat_template

    start = external.vllm()
    if not start:
        raise TrainerError("vLLM is not installed: pip install vllm, or --backend own")
    plan = _with_port(plan)
    hermes = external.writes_hermes(load_chat_template(plan.model))
    program = external.vllm_program(start, plan, hermes=hermes)
    return child_process.run(program, "vllm", plan.base_url(plan.port), ready)


def _transformers(plan: Plan, ready: Ready) -> str:
    start = external.transformers()
    if not start:
        raise TrainerError("`transformers serve` needs pip install 'transformers[serving]'")
    plan = _with_port(plan)
    program = external.transformers_program(start, plan, bf16=fast_bf16())
    return child_process.run(program, "transformers", plan.base_url(plan.port), ready)


def _with_port(plan: Plan) -> Plan:
    """`plan` with a port that is free at this moment: these servers do not say which they took."""
    with plan.bind() as bound:
        return replace(plan, port=bound.getsockname()[1])


_RUN: dict[str, Callable[[Plan, Ready], str]] = {
    "vllm": _vllm,
    "own": builtin.run,
    "transformers": _transformers,
}
