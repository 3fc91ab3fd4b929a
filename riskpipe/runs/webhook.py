"""One POST over HTTP, without a library beside Python's own."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Elsewhere nobody is told: the token would go along."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def post(url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> int | None:
    """:returns: the status of an answer that is no success; None: it was taken.

    :param timeout: seconds. :raises OSError, ValueError: nobody answers there.
    """
    request = urllib.request.Request(url, body, dict(headers), method="POST")
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout):
            return None
    except urllib.error.HTTPError as error:
        with error:
            return error.code
