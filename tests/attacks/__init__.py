"""What hostile code and SQL try, and what comes of it in each backend.

attack       what an attack is             catalogue   all of them, by theme
bait         what they are after           reach       whether they got it, seen from outside
scene        one sandbox under attack      sql_scene   the same for the query worker
campaign     all attacks, on all backends  table       the table in docs/sandbox-attacks.md
"""
