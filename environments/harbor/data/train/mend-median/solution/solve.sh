#!/bin/bash
set -e
cp "$(dirname "$0")/median.py" /app/median.py
