"""The command lines of others' servers: vLLM, `transformers serve`. What they are asked to do that
they cannot is refused here, in one line, not found out by a client."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from trainer.errors import TrainerError
from trainer.runtime.embedded_model import resolve
from trainer.serving.options import Plan
from trainer.tokens.chat_template import ChatTemplate


@dataclass(frozen=True, slots=True)
class Program:
    """A server to be started. name: what it calls the model.   env: variables beside ours."""

    command: list[str]
    name: str
    env: Mapping[str, str] = field(default_factory=dict)


def vllm() -> list[str]:
    """How vLLM is started here: the command on the path, else this Python's; [] if neither."""
    if found := shutil.which("vllm"):
        return [found]
    return [sys.executable, "-m", "vllm.entrypoints.cli.main"] if find_spec("vllm") else []


def transformers() -> list[str]:
    """How `transformers serve` is started here; [] where what it needs is not installed."""
    needed = ("transformers", "fastapi", "uvicorn")
    usable = all(find_spec(name) for name in needed)
    return [sys.executable, "-m", "transformers.cli.transformers"] if usable else []


def vllm_program(start: list[str], plan: Plan, *, hermes: bool) -> Program:
    """vLLM's command line for `plan`, whose port is known.

    hermes: the chat template writes calls as <tool_call> JSON, which vLLM reads when told so.
    """
    command = [*start, "serve", resolve(plan.model), "--served-model-name", plan.shown_name]
    command += ["--host", plan.host, "--port", str(plan.port)]
    if plan.context:
        command += ["--max-model-len", str(plan.context)]
    if plan.slots:
        command += ["--max-num-seqs", str(plan.slots)]
    if hermes:
        command += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    # Other users of the machine see command lines, but not environments.
    return Program(command, plan.shown_name, {"VLLM_API_KEY": plan.key} if plan.key else {})


def writes_hermes(renderer: ChatTemplate) -> bool:
    """Whether the template shows tools, and writes calls as <tool_call> JSON."""
    return not renderer.lost_tools and renderer.writes_tool_call_json


def not_by_transformers(plan: Plan) -> str:
    """The first flag of `plan` that `transformers serve` has nothing for; "" if none."""
    flags = {"name": plan.name, "context": plan.context, "slots": plan.slots, "api-key": plan.key}
    return next((f"--{flag}" for flag, value in flags.items() if value), "")


def transformers_program(start: list[str], plan: Plan, *, bf16: bool) -> Program:
    """The command line of `transformers serve` for `plan`, whose port is known.

    Raises:
        TrainerError: the plan holds what it does not do.
    """
    if flag := not_by_transformers(plan):
        raise TrainerError(f"--backend transformers takes no {flag}; use vllm or own")
    path = resolve(plan.model)
    command = [*start, "serve", path, "--host", plan.host, "--port", str(plan.port)]
    return Program([*command, "--dtype", "bfloat16" if bf16 else "float32"], path)
