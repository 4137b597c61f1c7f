"""Why an export wrote no row, in words that say what would make some."""

from collections.abc import Mapping

from engine.export.export import ExportSettings
from engine.export.filters import Counts

_PATHS = {
    "reward": "{n} earned less than --min-reward {min_reward:g}",
    "gave_up": "{n} gave up (--give-ups takes them, if --min-reward does)",
    "truncated": "{n} ended at a limit",
    "loop": "{n} repeat an action with the same result (--loops takes them)",
    "duplicate": "{n} repeat another one (see --near-duplicates)",
    "per_task": "{n} are over --per-task",
    "marked bad": "{n} are marked bad (see --exclude-marked)",
    "mark": "{n} have no mark from --min-mark {min_mark} on",
    "uncorrected": "{n} hold no correction of a student (see --corrected)",
    "not finite": "{n} hold NaN or an infinite number, which JSON cannot write",
    "incomplete": "{n} hold a reply that was cut off, and --format {format} has no weights",
    "nothing to train": "{n} hold no reply to train on",
}
"""What is told of paths left out, by the reason in `Counts.dropped`."""

_FAILURES = (
    "explore with a higher --temperature, a larger --width and --max-solutions, or a weaker model, "
    "so that some attempts fail"
)
_BESIDE = {
    "none": f"{{n}} have no other action beside them: {_FAILURES}",
    "succeeded": f"{{n}} other actions beside them led to success too: {_FAILURES}",
    "open": "{n} other actions were not played to an end: raise --max-solutions or "
    "--task-budget-calls",
    "incomplete": "{n} failed actions are replies that were cut off, or stand beside one: raise "
    "--max-reply-tokens",
    "marked bad": "{n} failed actions have a bad mark (see --exclude-marked)",
    "uncorrected": "{n} failed actions are no student's that a teacher corrected (see --corrected)",
}
"""What is told of the actions beside successful paths, by the reason in `Counts.beside`."""

_PAIRS = {
    "equal halves": "{n} pairs have halves that read the same",
    "not finite": _PATHS["not finite"],
}


def why_no_rows(settings: ExportSettings, counts: Counts) -> str:
    """Return why `counts` holds no row, and which options or flags make some."""
    if not counts.trees:
        return "the run holds no tree yet; `engine stats` says how far it is"
    if not counts.dropped and not counts.passed:
        return "no path has ended; a larger --task-budget-calls plays them on"
    if not counts.passed:
        return f"no path passes the filters: {_told(_PATHS, counts.dropped, settings)}"
    passing = f"{counts.passed} paths pass the filters, but "
    if settings.kind == "sft":
        return passing + _told(_PATHS, counts.dropped, settings)
    if settings.filters.min_reward <= 0:
        return passing + "with --min-reward 0 none has failed: pairs need a higher one"
    reasons = [_told(_BESIDE, counts.beside, settings), _told(_PAIRS, counts.dropped, settings)]
    return passing + "none parts from a failure: " + "; ".join(filter(None, reasons))


def _told(texts: Mapping[str, str], found: Mapping[str, int], settings: ExportSettings) -> str:
    filters = settings.filters
    values = {
        "min_reward": filters.min_reward,
        "min_mark": filters.min_mark,
        "format": settings.format,
    }
    known = [(found[reason], text) for reason, text in texts.items() if found.get(reason)]
    known.sort(key=lambda each: -each[0])
    return "; ".join(text.format(n=number, **values) for number, text in known)
