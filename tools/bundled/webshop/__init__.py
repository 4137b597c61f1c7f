"""Our own shop. `python -m tools.bundled.webshop` writes it to `environments/webshop/data`.

A kind of product is a vocabulary by hand (`kind`); rivals are combined of it with care (`combine`),
and asked for so that one product only is right (`asking`). Brands are invented.
"""
