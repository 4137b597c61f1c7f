"""What hostile code and SQL try, and the outcome on each backend.

attack      what an attack is
catalogue/  all attacks, by theme
bait        targets on the machine
reach       whether they were reached, seen from outside
scene       one sandbox under attack
sql_scene   the same for the query worker
campaign    all attacks, on all backends
table       the table in docs/sandbox-attacks.md
"""
