"""The SQL workers: they run inside a sandbox, so they need the standard library only.

guards         limits, authorizer rules and error kinds that both workers apply
query_worker   read-only queries, one per JSON line
edit_worker    statements that change a copy of a database
"""
