"""From reports to the sections that people read."""

from trainer.reporting.ability import general, harness
from trainer.reporting.document import Section
from trainer.reporting.quality import agreement, forced, judged
from trainer.reporting.side import Reports
from trainer.reporting.solving import mistakes, pass_at, solved, splits

_MAKERS = (solved, splits, pass_at, mistakes, forced, judged, agreement, general, harness)


def sections(reports: Reports) -> list[Section]:
    """What there is to say of `reports`, at least one; the last is held against the first."""
    return [section for make in _MAKERS for section in make(reports)]
