"""Two small static sites and the tasks about them and the shop: `python -m tools.bundled.browser`.

All names, dates and places are invented.
"""
