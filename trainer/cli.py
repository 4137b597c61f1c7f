"""The `trainer` command: its parts, registered here.

Modules are imported inside the commands: `trainer --help` must not wait for torch.
"""

import sys

import typer

from engine.terminal import guarded
from trainer.cli_dpo import dpo
from trainer.cli_eval import eval_
from trainer.cli_kto import kto
from trainer.cli_mask import mask
from trainer.cli_serve import serve
from trainer.cli_sft import sft
from trainer.flags import SETTINGS

app = typer.Typer(
    name="trainer",
    help="Train a student on rows; measure it in the environments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (sft, dpo, kto, mask):
    app.command(context_settings=SETTINGS)(command)
app.command(name="eval")(eval_)
app.command()(serve)


def main() -> None:
    """Entry point of `trainer`."""
    sys.exit(guarded(app))
