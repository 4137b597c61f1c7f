"""What an audit looks for, and which rows it keeps."""

from dataclasses import dataclass, field
from pathlib import Path

from engine.config import one_of
from engine.errors import UsageError
from treegraft.audit.balance import KEYS
from treegraft.audit.private_texts import Detector, by_patterns, with_names
from treegraft.ranges import SEED, check_ranges

FINDINGS = (
    "duplicate",
    "near duplicate",
    "conflict",
    "reversed pair",
    "personal data",
    "secret",
    "held-out task",
    "test split",
    "check",
)
"""Kinds of findings about single rows, as `--drop` takes them with hyphens for spaces."""

_KINDS = {kind.replace(" ", "-"): kind for kind in FINDINGS}

PERSONAL = ("patterns", "presidio", "none")
"""Values of `--personal`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """What is looked for, and which rows are kept.

    Attributes:
        near: Least similarity of near duplicates, 0 to 1: the share of five-word sequences that
            two rows have in common.
        personal: What finds personal data: patterns, presidio (the extra pii; with
            presidio:MODEL, a model of spaCy's that is installed), or none.
        held_out: Runs, or files of tasks, prompts or rows, whose tasks must not be in the rows. The
            bundled test splits always count.
        check: A function of your own, module:function or FILE.py:function, from a row to what is
            wrong with it ("" if nothing); repeatable.
        drop: Findings whose rows are left out of --output, comma-separated: duplicate,
            near-duplicate, conflict, reversed-pair, personal-data, secret, held-out-task,
            test-split, check. Of duplicates one remains, of conflicts the commonest answer.
        balance: Keep equally many rows per env, group, split, source, template, tool or length:
            at most as many as the median has.
        balance_to: At most so many instead.
        anonymise: Replace personal data in --output, the same value by the same stand-in.
        seed: Random seed of what is drawn.
    """

    near: float = field(default=0.8, metadata={"above": 0, "max": 1})
    personal: str = "patterns"
    held_out: tuple[Path, ...] = ()
    check: tuple[str, ...] = ()
    drop: tuple[str, ...] = field(default=(), metadata={"comma": True})
    balance: str = ""
    balance_to: int | None = field(default=None, metadata={"min": 1})
    anonymise: bool = False
    seed: int = field(default=0, metadata=SEED)

    def __post_init__(self) -> None:
        check_ranges(self)
        kind, colon, model = self.personal.partition(":")
        one_of("personal", kind, PERSONAL)
        if colon and not (kind == "presidio" and model):
            raise UsageError("--personal takes a model as presidio:MODEL")
        for name in self.drop:
            one_of("drop", name, tuple(_KINDS))
        if self.balance:
            one_of("balance", self.balance, tuple(KEYS))
        if self.balance_to and not self.balance:
            raise UsageError("--balance-to is for --balance")
        if self.anonymise and self.personal == "none":
            raise UsageError("--anonymise needs --personal patterns or presidio")

    @property
    def dropped(self) -> set[str]:
        """The kinds of findings whose rows are left out."""
        return {_KINDS[name] for name in self.drop}

    @property
    def detector(self) -> Detector | None:
        """What finds personal data, or None."""
        kind, _, model = self.personal.partition(":")
        if kind == "presidio":
            return with_names(model)
        return by_patterns if kind == "patterns" else None
