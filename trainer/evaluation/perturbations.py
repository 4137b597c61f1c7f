"""How much a student's solve rate falls where something in its world looks different.

A student can learn the looks of its training worlds by heart: names of tools, their order, the
words of their descriptions. Each perturbation changes one of these and leaves the tasks as they
are; the student then does the same tasks again.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.templates import get as get_template
from engine.templates.dialects import DIALECTS
from engine.templates.text import Text
from trainer.errors import TrainerError

if TYPE_CHECKING:
    from trainer.evaluation.options import EvalOptions

FOLDER = "perturbed"
"""Folder, in that of the run, with a run for each perturbation."""

NOISE: Mapping[str, str] = {
    "names": "rename",
    "order": "shuffle",
    "descriptions": "reword",
    "observations": "observe",
    "distractors": "distract:3",
}
"""The tool noise of each perturbation that is one; see `engine.templates.tool_noise`."""

DIALECT = "dialect"
NAMES = (*NOISE, DIALECT)


def check(options: "EvalOptions") -> None:
    """Check that every perturbation is known and goes with the other options.

    Raises:
        TrainerError: It does not.
    """
    if unknown := [name for name in options.perturb if name not in NAMES]:
        raise TrainerError(f"--perturb: unknown {unknown[0]!r}; use {', '.join(NAMES)}")
    if options.perturb and options.tool_noise:
        raise TrainerError("--perturb changes the tools one way at a time: no --tool-noise")
    for name in options.perturb:
        changed(options, name)


def changed(options: "EvalOptions", name: str) -> "EvalOptions":
    """Return the options of a run under the perturbation `name`.

    Raises:
        TrainerError: The template does not describe tools in a dialect.
    """
    if name == DIALECT:
        return replace(options, perturb=(), dialect=_other_dialect(options))
    return replace(options, perturb=(), tool_noise=f"{NOISE[name]},seed:{options.seed}")


def _other_dialect(options: "EvalOptions") -> str:
    """Return the first dialect that is not the one that tools are described in."""
    template = get_template(options.template, options.dialect)
    if not isinstance(template, Text):
        raise TrainerError(
            f"--perturb dialect: {options.template} describes no tools; use a template that does"
        )
    return next(name for name, each in DIALECTS.items() if each is not template.dialect)
