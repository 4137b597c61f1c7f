"""The games of the world textworld, made by TextWorld; the same seeds make the same games.

TextWorld is MIT; Inform 7, which compiles the story files, is under the Artistic License 2.0.
"""
