"""Reports for people: the same sections for a terminal, for Markdown and for a page of HTML.

document.py  what a section is: notes, tables, plots
sections.py  from reports to sections: solving.py (how many tasks, and how), quality.py (against
             references, by judges), ability.py (general chat, lm-eval)
side.py      reports side by side
cells.py     figures in words
plots.py     a plot as SVG, or as lines of text
terminal.py, markdown.py, html.py  write sections; files.py: which of them a file's name asks for

What a run holds was written by a model and may be hostile: each writer escapes every text.
"""
