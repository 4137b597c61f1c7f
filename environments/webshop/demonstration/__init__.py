"""How the demonstration teacher shops: right, wrong, and back on track."""
