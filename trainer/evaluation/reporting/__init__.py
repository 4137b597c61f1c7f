"""Reports for people: the same sections at a terminal, in Markdown and in HTML.

document.py    what a report consists of: sections with notes, tables and plots
sections.py    from reports to sections
columns.py     reports side by side, and figures as text
plots.py       a plot as SVG, or as lines of text
terminal.py, markdown.py, html.py   the formats
comparison.py  reports side by side, to print, to show in a notebook and to save

A run holds text that a model wrote, which may be hostile: each format escapes every text.
"""
