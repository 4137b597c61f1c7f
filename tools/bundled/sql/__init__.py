"""The bundled task set: eight small databases, written for Treegraft, in BIRD's layout.

Each database is a module: its schema, the descriptions of its columns, and a seeded generator of
its rows. `python -m tools.bundled.sql` rewrites the files under `environments/sql/data/`;
the questions there (train.json, test.json) are written by hand. No database is in both splits.
"""

from tools.bundled.sql import (
    bike_rental,
    city_museum,
    ground_crew,
    hardware_store,
    recipe_site,
    symphony,
    town_library,
    vet_clinic,
)
from tools.bundled.sql.build import Source

DATABASES: dict[str, tuple[Source, ...]] = {
    "train": (town_library, vet_clinic, bike_rental, recipe_site, symphony, hardware_store),
    "test": (city_museum, ground_crew),
}
"""Split -> modules of its databases."""
