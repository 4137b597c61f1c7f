"""A run as a page: its trees, messages, pairs and charts; a person's marks on them."""
