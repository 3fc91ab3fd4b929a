"""What object stores (S3, GCS, Azure) say when they do not serve, told by its words: pyarrow has no types for it."""

from __future__ import annotations

import re

_DENIED = "ACCESS_DENIED|HTTP status 403|PERMISSION_DENIED|AuthorizationPermissionMismatch|AuthorizationFailure"
_CREDENTIALS = (
    "INVALID_ACCESS_KEY|INVALID_CLIENT_TOKEN|SIGNATURE_DOES_NOT_MATCH|EXPIRED_TOKEN|ExpiredToken|TOKEN_REFRESH|"
    "MISSING_AUTHENTICATION|UNAUTHENTICATED|AuthenticationFailed|Could not create credentials|GetToken"
)
_NO_BUCKET = "NO_SUCH_BUCKET|NoSuchBucket|ContainerNotFound|specified bucket does not exist"
_ELSEWHERE = "HTTP status 301|PERMANENT_REDIRECT|AuthorizationHeaderMalformed"
_PERMANENT = re.compile("|".join((_DENIED, _CREDENTIALS, _NO_BUCKET, _ELSEWHERE)))
_ADVICE = tuple(
    (re.compile(pattern), advice)
    for pattern, advice in (
        (_DENIED, "this identity may not do that: check its role or policy for the bucket"),
        (_CREDENTIALS, "the credentials are missing, wrong or expired: check the environment (docs/operations.md)"),
        (_NO_BUCKET, "there is no such bucket or container: create it, or correct the URI"),
        (_ELSEWHERE, "the bucket is in another region: name it in the URI, ?region=..."),
        (
            "SLOW_DOWN|SERVICE_UNAVAILABLE|HTTP status 503|HTTP status 429|THROTTL|REQUEST_LIMIT|RESOURCE_EXHAUSTED"
            "|ServerBusy|UNAVAILABLE",
            "the object store asked for fewer requests, also after pauses: go on later, or with fewer workers",
        ),
        (
            "NETWORK_CONNECTION|curlCode|DEADLINE_EXCEEDED|Fail to get a new connection|Connection|resolve host",
            "the object store was not reached, also after pauses: check endpoint, DNS and network policy, then go on",
        ),
    )
)


def advice_on(error: OSError) -> str | None:
    """What to do about what an object store said; None where there is nothing to add."""
    return next((advice for pattern, advice in _ADVICE if pattern.search(str(error))), None)


def is_permanent(error: OSError) -> bool:
    """Whether the same request would be refused again."""
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return True
    return _PERMANENT.search(str(error)) is not None
