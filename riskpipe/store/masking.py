"""Secrets in URIs, masked before anything is shown or written."""

from __future__ import annotations

import re

_USER = re.compile(r"([a-z][a-z0-9+.-]*)://([^/@\s]+)@", re.IGNORECASE)
_QUERY = re.compile(
    r"([?&](?!credential_kind=)[^=&\s]*(?:secret|password|token|key|sig|credential)[^=&\s]*=)[^&\s'\"]+", re.IGNORECASE
)


def masked(text: str) -> str:
    """`s3://user:pass@bucket/x?token=abc` -> `s3://***@bucket/x?token=***`.

    What is no secret stays: `gs://anonymous@bucket`, and the container or account of `abfs://container@account`.
    """
    return _QUERY.sub(r"\1***", _USER.sub(_masked_user, text))


def has_secret(uri: str) -> bool:
    """Whether there is something in a URI that `masked` hides."""
    return masked(uri) != uri


def _masked_user(match: re.Match[str]) -> str:
    scheme, user = match[1].lower(), match[2]
    if user == "anonymous" or (scheme in ("abfs", "abfss") and ":" not in user):
        return match[0]
    return f"{match[1]}://***@"
