"""How nodes get the files of their parent."""
