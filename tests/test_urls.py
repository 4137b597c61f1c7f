"""Addresses are shown without their passwords."""

import pytest

from treegraft.urls import redact_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://me:pass@h:5432/d?sslmode=require", "postgres://me@h:5432/d?sslmode=require"),
        ("postgresql://me:p%40:x@/d?host=/run&password=y", "postgresql://me@/d?host=/run"),
        ("postgres://me:what?now@h/d?sslpassword=z&a=b", "postgres://me@h/d?a=b"),
        ("postgres://me@h/d", "postgres://me@h/d"),
        ("postgres:///d", "postgres:///d"),
        ("https://me:p@ss@h:8000/v1", "https://me@h:8000/v1"),
        ("https://h:8000/v1?user=a:b", "https://h:8000/v1?user=a:b"),
        ("https://:key@h/v1", "https://@h/v1"),
    ],
)
def test_the_password_is_removed_and_nothing_else(url: str, shown: str) -> None:
    assert redact_url(url) == shown
