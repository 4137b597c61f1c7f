"""The `trainer` command: its parts, registered here.

Modules are imported inside the commands: `trainer --help` must not wait for torch.
"""

import typer

from trainer.cli.dpo import dpo
from trainer.cli.eval import eval_
from trainer.cli.kto import kto
from trainer.cli.mask import mask
from trainer.cli.options import SETTINGS
from trainer.cli.serve import serve
from trainer.cli.sft import sft

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
