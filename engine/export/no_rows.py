"""Why an export wrote no row, in words that say what would make some."""

from collections.abc import Mapping

from engine.export.filters import Counts
from engine.export.pairs import BY_VALUE
from engine.export.settings import ExportSettings
from engine.export.value_rules import MARGIN

_PATHS = {
    "reward": "less reward than --min-reward {min_reward:g} ({n})",
    "gave_up": "gave up ({n}; --give-ups takes them, if --min-reward does)",
    "truncated": "ended at a limit ({n})",
    "loop": "repeats an action with the same result ({n}; --loops takes them)",
    "duplicate": "like another path ({n}; --near-duplicates takes some)",
    "per_task": "over --per-task ({n})",
    "marked bad": "marked bad ({n}; see --exclude-marked)",
    "mark": "no mark from --min-mark {min_mark} on ({n})",
    "uncorrected": "no correction of a student ({n}; see --corrected)",
    "not finite": "holds NaN or an infinite number, which is not JSON ({n})",
    "spliced": "played on without asking the policy ({n}; --recovery takes them)",
    "no wrong turn": "goes through no wrong turn ({n}; a lower --margin finds more, and `engine "
    "credit --splice` makes some)",
    "no pivot": "goes through no state with a pass rate in --pivots ({n})",
    "not valued": "has a step without a value from --min-continuations {least} on ({n})",
    "incomplete": "holds a reply that was cut off, and --format {format} has no weights ({n})",
    "nothing to train": "holds no reply to train on ({n})",
}
"""What is told of paths left out, by the reason in `Counts.dropped`."""

_FAILURES = (
    "explore with a higher --temperature, a larger --width and --max-solutions, or a weaker model, "
    "so that some attempts fail"
)
_BESIDE = {
    "none": f"no other action was tried beside the path ({{n}}): {_FAILURES}",
    "succeeded": f"the other action led to success too ({{n}}): {_FAILURES}",
    "open": "the other action was not played to an end ({n}): raise --max-solutions or "
    "--task-budget-calls",
    "incomplete": "the failed action is a reply that was cut off, or stands beside one ({n}): "
    "raise --max-reply-tokens",
    "marked bad": "a bad mark below the failed action ({n}; see --exclude-marked)",
    "uncorrected": "no student's action that its teacher corrected ({n}; see --corrected)",
}
"""What is told of the actions beside successful paths, by the reason in `Counts.beside`."""

_BY_VALUE = {
    "none": "only one action was tried in a state ({n})",
    "near": "another action is worth less by less than --margin {margin:g} ({n})",
    "not valued": "an action has fewer than --min-continuations {least} ({n})",
    "rarely drawn": "the policy draws the worse action less often than --drawn-ratio {ratio:g} of "
    "the better one ({n}; --pairs value takes them)",
    "alike": "the worse action reads like the better one ({n}; --near-duplicates takes them)",
    "incomplete": "a reply was cut off ({n})",
    "marked bad": "marked bad ({n}; see --exclude-marked)",
}
"""What is told of actions in states without a pair by value, by the reason in `Counts.beside`."""

_PAIRS = {
    "equal halves": "both halves read the same ({n})",
    "not finite": _PATHS["not finite"],
}


def why_no_rows(settings: ExportSettings, counts: Counts) -> str:
    """Return why `counts` holds no row, and which options or flags make some."""
    if not counts.trees:
        return "the run holds no tree yet; `engine stats` says how far it is"
    if settings.pairs in BY_VALUE:
        reasons = [
            _told(_BY_VALUE, counts.beside, settings),
            _told(_PAIRS, counts.dropped, settings),
        ]
        return "no two actions in one state make a pair: " + "; ".join(filter(None, reasons))
    if not counts.dropped and not counts.passed:
        return "no path has ended; a larger --task-budget-calls plays them on"
    left_out = _told(_PATHS, counts.dropped, settings)
    if not counts.passed:
        return f"no path passes the filters: {left_out}"
    if settings.kind != "dpo":
        return f"none of the paths that pass the filters can be written: {left_out}"
    if settings.filters.min_reward <= 0:
        return "with --min-reward 0 no path has failed: pairs need a higher one"
    reasons = [_told(_BESIDE, counts.beside, settings), _told(_PAIRS, counts.dropped, settings)]
    return (
        f"no path that passes the filters ({counts.passed}) parts from a failed action: "
        + "; ".join(filter(None, reasons))
    )


def _told(texts: Mapping[str, str], found: Mapping[str, int], settings: ExportSettings) -> str:
    filters = settings.filters
    values = {
        "min_reward": filters.min_reward,
        "min_mark": filters.min_mark,
        "format": settings.format,
        "margin": MARGIN if filters.margin is None else filters.margin,
        "least": settings.values.min_continuations,
        "ratio": settings.values.drawn_ratio,
    }
    known = [(found[reason], text) for reason, text in texts.items() if found.get(reason)]
    known.sort(key=lambda each: -each[0])
    return "; ".join(text.format(n=number, **values) for number, text in known)
