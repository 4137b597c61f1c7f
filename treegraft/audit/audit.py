"""The audit: every finding about the rows of files and runs, and the rows that remain."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import UsageError
from engine.export.export import ExportSettings
from trainer.data.contamination import TrainingRow, read_held_out
from treegraft.audit.balance import balanced, spread
from treegraft.audit.checks import load_check, said_by
from treegraft.audit.conflicts import Conflicts, find_conflicts
from treegraft.audit.private_texts import Anonymiser, detector_for, secret_rules, secrets_in
from treegraft.audit.repeats import best, equal_rows, similar_rows
from treegraft.audit.rows import AuditRow, read_sources, text_of
from treegraft.audit.settings import FINDINGS, AuditSettings


@dataclass(slots=True)
class Audit:
    """What was found.

    Attributes:
        rows: The rows that can be used.
        unusable: Why others cannot, with their number.
        found: By kind of finding, the places of its rows in `rows` and what is said of each.
        to_drop: By kind, the places that `--drop` leaves out: one of a group remains.
        conflicts: Contexts with several answers.
    """

    rows: list[AuditRow]
    unusable: Counter[str]
    found: dict[str, dict[int, str]]
    to_drop: dict[str, set[int]]
    conflicts: Conflicts

    @property
    def spread(self) -> dict[str, Counter[str]]:
        """How many rows have each value of each key."""
        return spread(self.rows)

    def counts(self) -> dict[str, int]:
        """Return how many rows each kind of finding has."""
        return {kind: len(self.found.get(kind, ())) for kind in FINDINGS}

    def summary(self) -> Mapping[str, Any]:
        """Return the findings as JSON values, as `engine audit --json` prints them."""
        return {
            "rows": len(self.rows),
            "unusable": dict(self.unusable.most_common()),
            "findings": self.counts(),
            "contexts": self.conflicts.contexts,
            "repeated_contexts": self.conflicts.repeated,
            "conflicting_contexts": len(self.conflicts.disagreeing),
            "spread": {key: dict(counts.most_common()) for key, counts in self.spread.items()},
        }

    def kept(self, settings: AuditSettings) -> list[dict[str, Any]]:
        """Return the rows that remain, anonymised if that is wanted."""
        dropped: set[int] = set()
        for kind in settings.dropped:
            dropped |= self.to_drop.get(kind, set())
        places = [place for place in range(len(self.rows)) if place not in dropped]
        if settings.balance:
            left = [self.rows[place] for place in places]
            chosen = balanced(left, settings.balance, settings.balance_to, settings.seed)
            places = [places[place] for place in chosen]
        values = [self.rows[place].value for place in places]
        if settings.anonymise and settings.detector:
            anonymiser = Anonymiser(settings.detector)
            values = [anonymiser.row(value) for value in values]
        return values


def audit(sources: Sequence[Path], settings: AuditSettings, export: ExportSettings) -> Audit:
    """Look at the rows of `sources`: files in any known format, and runs, which are exported.

    Raises:
        TreegraftError: A source, a check or a list of held-out tasks cannot be read, or there are
            no rows.
    """
    checks = {spec: load_check(spec) for spec in settings.check}
    rows: list[AuditRow] = []
    unusable: Counter[str] = Counter()
    for row in read_sources(sources, export):
        if isinstance(row, AuditRow):
            rows.append(row)
        else:
            unusable[row[1]] += 1
    if not rows and not unusable:
        raise UsageError(f"there are no rows in {', '.join(map(str, sources))}")
    conflicts = find_conflicts(rows)
    found: dict[str, dict[int, str]] = defaultdict(dict)
    to_drop: dict[str, set[int]] = {}
    groups = {
        "duplicate": equal_rows(rows),
        "near duplicate": similar_rows(rows, settings.near),
    }
    for kind, several in groups.items():
        keep = {best(rows, group) for group in several}
        found[kind] = {p: f"like {rows[group[0]].place}" for group in several for p in group}
        to_drop[kind] = set(found[kind]) - keep
    found["near duplicate"] = {
        place: said
        for place, said in found["near duplicate"].items()
        if place not in found["duplicate"]
    }
    for group in conflicts.disagreeing:
        found["conflict"] |= {place: "another answer in the same context" for place in group}
    found["reversed pair"] = {place: "another pair is reversed" for place in conflicts.reversed}
    _look_at_texts(rows, settings, found)
    known = read_held_out(settings.held_out, test_splits=True)
    matches = known.find([TrainingRow(row.line, row.id, row.messages) for row in rows])
    found["held-out task"] = {place: f"{m.task}: {m.how}" for place, m in matches.items()}
    for place, row in enumerate(rows):
        if row.value.get("split") == "test":
            found["test split"][place] = "of a test split"
        said = [word for spec, check in checks.items() if (word := said_by(check, spec, row))]
        if said:
            found["check"][place] = ", ".join(said)
    whole = {kind: set(places) for kind, places in found.items()}
    return Audit(
        rows, unusable, found, whole | to_drop | {"conflict": conflicts.minority}, conflicts
    )


def _look_at_texts(
    rows: Sequence[AuditRow], settings: AuditSettings, found: dict[str, dict[int, str]]
) -> None:
    """Find personal data and secrets; equal texts, such as system messages, are read once."""
    detector = settings.detector
    seen: dict[str, tuple[set[str], set[str]]] = {}
    with secret_rules():
        for place, row in enumerate(rows):
            kinds: tuple[set[str], set[str]] = (set(), set())
            for message in row.messages:
                text, detect = text_of(message), detector and detector_for(message, detector)
                if text not in seen:
                    private = {one.kind for one in detect(text)} if detect else set()
                    seen[text] = private, set(secrets_in(text))
                for all_kinds, here in zip(kinds, seen[text], strict=True):
                    all_kinds |= here
            for name, these in zip(("personal data", "secret"), kinds, strict=True):
                if these:
                    found[name][place] = ", ".join(sorted(these))
