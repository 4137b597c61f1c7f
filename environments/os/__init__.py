"""Tasks on files, texts and scripts that are solved with a shell."""
