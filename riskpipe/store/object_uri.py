"""From a URI to a pyarrow file system: credentials from the environment alone, retries that spread out.

pyarrow's own `FileSystem.from_uri` makes an S3 client that repeats a throttled request every 200 ms for 6 s, and that
takes three requests for every small object. The one made here backs off exponentially with jitter (the SDK's standard
mode, `AWS_MAX_ATTEMPTS` attempts, 6 if unset) and puts a small object with one request.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import pyarrow.fs as pafs

from riskpipe.errors import StorageError, UsageError
from riskpipe.store.masking import has_secret, masked

S3_ATTEMPTS = 6
GCS_RETRY_SECONDS = "30"

_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_S3_TEXTS = ("region", "scheme", "endpoint_override", "tls_ca_file_path")
_S3_FLAGS = ("allow_bucket_creation", "allow_bucket_deletion", "force_virtual_addressing")


def open_uri(uri: str) -> tuple[Any, str]:
    """The file system that serves a URI, and the path in it.

    :raises UsageError: there are credentials in the URI. :raises StorageError: it means nothing to pyarrow.
    """
    if has_secret(uri):
        raise UsageError(
            f"{masked(uri)}: credentials do not belong in a URI, which is copied into files and messages: "
            "put them into the environment (docs/operations.md, object stores)"
        )
    scheme = urlsplit(uri).scheme.lower()
    opener: Callable[[str], tuple[Any, str]] = _OPENERS.get(scheme, pafs.FileSystem.from_uri)
    try:
        filesystem, path = opener(uri)
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot open {uri}: {error}") from error
    return filesystem, str(path)


def _open_s3(uri: str) -> tuple[Any, str]:
    parts = urlsplit(uri)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(given) - {*_S3_TEXTS, *_S3_FLAGS})
    if unknown:
        known = ", ".join((*_S3_TEXTS, *_S3_FLAGS))
        raise ValueError(f"{', '.join(unknown)} is not a parameter of an s3:// URI; known are {known}")
    if not parts.netloc:
        raise ValueError("there is no bucket in it")
    given["region"] = given.get("region") or _region(parts.netloc, "endpoint_override" in given)
    return _s3_client(tuple(sorted(given.items())), _attempts()), parts.netloc + parts.path


def _region(bucket: str, elsewhere: bool) -> str:
    """As the SDK finds it; asked of S3 where nothing says it and the service is Amazon's."""
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if named:
        return named
    if elsewhere or os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_S3"):
        return "us-east-1"
    return _bucket_region(bucket)


@lru_cache(maxsize=64)
def _bucket_region(bucket: str) -> str:
    return str(pafs.resolve_s3_region(bucket))


def _attempts() -> int:
    text = os.environ.get("AWS_MAX_ATTEMPTS", "")
    return max(int(text), 1) if text.isdecimal() else S3_ATTEMPTS


@lru_cache(maxsize=16)
def _s3_client(given: tuple[tuple[str, str], ...], attempts: int) -> Any:
    options: dict[str, Any] = {}
    for name, value in given:
        if name in _S3_FLAGS and value.lower() not in _FLAGS:
            raise ValueError(f"{name} is true or false, got {value!r}")
        options[name] = _FLAGS[value.lower()] if name in _S3_FLAGS else value
    retry = pafs.AwsStandardS3RetryStrategy(max_attempts=attempts)
    return pafs.S3FileSystem(retry_strategy=retry, allow_delayed_open=True, **options)


def _open_gcs(uri: str) -> tuple[Any, str]:
    parts = urlsplit(uri)
    given = dict(parse_qsl(parts.query, keep_blank_values=True))
    given.setdefault("retry_limit_seconds", GCS_RETRY_SECONDS)  # the SDK's own limit is 15 minutes
    filesystem, path = pafs.FileSystem.from_uri(urlunsplit(parts._replace(query=urlencode(given))))
    return filesystem, str(path)


def _open_azure(uri: str) -> tuple[Any, str]:
    """Identity from the environment (managed, workload, client secret); or the account's key in AZURE_STORAGE_KEY."""
    filesystem, path = pafs.FileSystem.from_uri(uri)
    key = os.environ.get("AZURE_STORAGE_KEY")
    if key:
        # What the URI said (account, authorities, schemes), as the file system is pickled.
        given = {name: value for name, value in filesystem.__reduce__()[1][0].items() if value}
        filesystem = pafs.AzureFileSystem(**{**given, "account_key": key})
    return filesystem, str(path)


_OPENERS: dict[str, Callable[[str], tuple[Any, str]]] = {
    "s3": _open_s3,
    "gs": _open_gcs,
    "gcs": _open_gcs,
    "abfs": _open_azure,
    "abfss": _open_azure,
}


def puts_show_early(filesystem: Any) -> bool:
    """Whether an object that is being put is seen before it is whole: on Azure, pyarrow begins with an empty blob."""
    return str(filesystem.type_name) == "abfs"
