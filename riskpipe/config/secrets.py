"""Secrets in URIs, masked before anything is shown or written."""

from __future__ import annotations

import re

_USER = re.compile(r"(?<=://)[^/@\s]+@")
_QUERY = re.compile(r"([?&][^=&\s]*(?:secret|password|token|key|sig|credential)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE)


def masked(text: str) -> str:
    """`s3://user:pass@bucket/x?token=abc` -> `s3://***@bucket/x?token=***`."""
    return _QUERY.sub(r"\1***", _USER.sub("***@", text))
