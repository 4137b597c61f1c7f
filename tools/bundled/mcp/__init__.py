"""The bundled tasks of the world `mcp`: `python -m tools.bundled.mcp` writes them."""
