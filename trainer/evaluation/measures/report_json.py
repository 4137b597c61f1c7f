"""Figures as JSON values and back: what `report.json` holds."""

from dataclasses import fields, is_dataclass
from typing import Any

from trainer.evaluation.measures.statistics import Estimate, Rate


def shown(value: Any) -> Any:
    """`value` for JSON. Rates and estimates carry their value and interval; other records become
    objects of their fields."""
    if isinstance(value, Rate | Estimate):
        counts = {"hits": value.hits, "total": value.total} if isinstance(value, Rate) else {}
        interval = [round(bound, 4) for bound in value.interval]
        return {**counts, "value": round(value.value, 4), "interval": interval}
    if is_dataclass(value):
        return {field.name: shown(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value


def read(value: Any) -> Any:
    """What `shown` made a JSON value of; records other than figures stay objects."""
    if isinstance(value, dict):
        if value.keys() == {"hits", "total", "value", "interval"}:
            return Rate(value["hits"], value["total"])
        if value.keys() == {"value", "interval"}:
            return Estimate(value["value"], *value["interval"])
        return {key: read(item) for key, item in value.items()}
    return [read(item) for item in value] if isinstance(value, list) else value
