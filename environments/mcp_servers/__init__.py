"""Tools of MCP servers as a world."""
