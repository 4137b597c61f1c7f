"""From reports to the sections that people read."""

from trainer.evaluation.reporting.ability_sections import general, harness
from trainer.evaluation.reporting.compare import Reports
from trainer.evaluation.reporting.document import Section
from trainer.evaluation.reporting.quality_sections import agreement, forced, judged
from trainer.evaluation.reporting.solve_sections import mistakes, pass_at, solved, splits

_MAKERS = (solved, splits, pass_at, mistakes, forced, judged, agreement, general, harness)


def sections(reports: Reports) -> list[Section]:
    """What there is to say of `reports`, at least one; the last is held against the first."""
    return [section for make in _MAKERS for section in make(reports)]
