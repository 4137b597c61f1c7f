"""Command lines of other servers: vLLM and `transformers serve`.

An option that such a server lacks is an error here, in one line, before a client notices.
"""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from trainer.errors import TrainerError
from trainer.runtime.embedded_model import resolve
from trainer.serving.options import ServeOptions
from trainer.tokens.chat_template import ChatTemplate


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """How to start a server.

    Attributes:
        arguments: the command line.
        model_name: the model's name in requests.
        env: environment variables to add.
    """

    arguments: list[str]
    model_name: str
    env: Mapping[str, str] = field(default_factory=dict)


def find_vllm() -> list[str]:
    """Return how to start vLLM: the command on the path, or this Python's; [] if there is none."""
    if found := shutil.which("vllm"):
        return [found]
    return [sys.executable, "-m", "vllm.entrypoints.cli.main"] if find_spec("vllm") else []


def find_transformers() -> list[str]:
    """Return how to start `transformers serve`; [] if one of its requirements is missing."""
    required = ("transformers", "fastapi", "uvicorn")
    usable = all(find_spec(name) for name in required)
    return [sys.executable, "-m", "transformers.cli.transformers"] if usable else []


def vllm_command(program: list[str], options: ServeOptions, *, hermes: bool) -> ServerCommand:
    """Return vLLM's command for `options`, whose port is not 0.

    Args:
        program: how to start vLLM.
        options: what to serve, and where.
        hermes: whether the chat template writes calls as <tool_call> JSON. vLLM then needs a flag
            to parse them.
    """
    arguments = [*program, "serve", resolve(options.model)]
    arguments += ["--served-model-name", options.model_name]
    arguments += ["--host", options.host, "--port", str(options.port)]
    if options.context:
        arguments += ["--max-model-len", str(options.context)]
    if options.slots:
        arguments += ["--max-num-seqs", str(options.slots)]
    if hermes:
        arguments += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    # Other users of the machine can see command lines, but not environments.
    env = {"VLLM_API_KEY": options.key} if options.key else {}
    return ServerCommand(arguments, options.model_name, env)


def writes_hermes(template: ChatTemplate) -> bool:
    """Return whether the template shows tools and writes calls as <tool_call> JSON."""
    return not template.lost_tools and template.writes_tool_call_json


def transformers_lacks(options: ServeOptions) -> str:
    """Return the first flag in use that `transformers serve` has no equivalent of, or ""."""
    flags = {
        "name": options.name,
        "context": options.context,
        "slots": options.slots,
        "api-key": options.key,
    }
    return next((f"--{flag}" for flag, value in flags.items() if value), "")


def transformers_command(program: list[str], options: ServeOptions, *, bf16: bool) -> ServerCommand:
    """Return the command of `transformers serve` for `options`, whose port is not 0.

    Raises:
        TrainerError: `transformers serve` lacks one of the options.
    """
    if flag := transformers_lacks(options):
        raise TrainerError(f"--backend transformers has no {flag}; use vllm or builtin")
    path = resolve(options.model)
    arguments = [*program, "serve", path, "--host", options.host, "--port", str(options.port)]
    return ServerCommand([*arguments, "--dtype", "bfloat16" if bf16 else "float32"], path)
