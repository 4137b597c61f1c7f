"""The command `trainer gguf`: a student as a file for llama.cpp and Ollama."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from engine.cli.flags import command
from engine.terminal import Json, say
from trainer.runtime import embedded_model
from trainer.runtime.gguf_file import write_gguf


def _gguf(
    model: Annotated[str, typer.Argument(help="A trained student: its directory.")],
    like: Annotated[
        str,
        typer.Option(
            help="GGUF file of the model that it was trained from, or smollm2: tokenizer, chat "
            "template and hyperparameters are copied from it."
        ),
    ],
    output: Annotated[Path, typer.Option(help="The file to write.")],
    weights: Annotated[
        Literal["f32", "f16", "bf16", "q8_0"],
        typer.Option(
            help="How matrices are stored. llama.cpp's llama-quantize makes smaller ones."
        ),
    ] = "q8_0",
    json_: Json = False,
) -> None:
    """Write a student as a GGUF file, which llama.cpp, Ollama and LM Studio run.

    For example:

    trainer gguf runs/demo/student --like smollm2 --output student.gguf
    """
    base = embedded_model.gguf_file() if like == embedded_model.NAME else Path(like)
    number = write_gguf(Path(embedded_model.resolve(model)), base, output, weights)
    size = output.stat().st_size
    if json_:
        print(json.dumps({"output": str(output), "tensors": number, "bytes": size}))
    else:
        say(f"{number} tensors, {size / 1e6:,.0f} MB in {output}")


gguf = command(_gguf)
