"""The shop's pages and how a shopper moves among them."""
