"""The shop's content: its files, products, prices and search; see `catalogue`."""
