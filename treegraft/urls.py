"""Addresses, as they may be shown."""

import re

_PASSWORD = re.compile(r"(?<=://)([^/:@]*):[^/]*@")
_SECRET_FIELDS = ("password=", "sslpassword=")


def redact_url(url: str) -> str:
    """Return `url` without its password, before the host or in the query; the user stays."""
    place, mark, query = _PASSWORD.sub(r"\1@", url, count=1).partition("?")
    fields = [field for field in query.split("&") if not field.startswith(_SECRET_FIELDS)]
    return place + mark + "&".join(fields)
