"""`engine new-env`: the files of a world of the user's own, from templates."""
