"""Run untrusted queries and code. Knows nothing of tasks."""

from sandbox.errors import SandboxError
from sandbox.sql.queries import Comparison, QueryError, QueryLimits, QueryResult, QueryWorker

__all__ = [
    "Comparison",
    "QueryError",
    "QueryLimits",
    "QueryResult",
    "QueryWorker",
    "SandboxError",
]
