"""The searchable text of a product, as the original writes it into its index.

`convert_product_file_format.py` of princeton-nlp/WebShop: title, description, the first bullet
only, and the options, in lower case.
"""

from collections.abc import Iterable, Iterator

from environments.webshop.shop.products import Product


def indexed_text(product: Product) -> str:
    """Return the text of a product that searches look at."""
    options = ", and ".join(
        f"{name}: {', '.join(values)}" for name, values in product.options.items()
    )
    bullet = product.bullets[0] if product.bullets else ""
    return " ".join((product.title, product.description, bullet, options)).lower()


def documents(products: Iterable[Product]) -> Iterator[tuple[str, str]]:
    """Yield (asin, text) of each product, for `lucene.cache.open_index`."""
    for product in products:
        yield product.asin, indexed_text(product)
