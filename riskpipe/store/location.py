"""From a location, as users and settings write it, to the store that is there."""

from __future__ import annotations

from urllib.parse import urlsplit

from riskpipe.store.filesystem import Store
from riskpipe.store.local_store import LocalStore


def open_store(root: str) -> Store:
    """The directory at a local path or URI (file://, s3://, gs://, abfs://); it need not be there yet.

    :raises StorageError: the URI means nothing to pyarrow, or its service refuses.
    :raises UsageError: there are credentials in the URI.
    """
    if "://" not in root:
        return LocalStore(root)
    # pyarrow's file systems, which paths of this machine need not.
    from riskpipe.store.object_store import ObjectStore
    from riskpipe.store.object_uri import open_uri

    if urlsplit(root).scheme.lower() == "file":
        return LocalStore(root, open_uri(root)[1])
    return ObjectStore(root)


def store_of_file(location: str) -> tuple[Store, str]:
    """The store of a file's directory, and the file's name in it; `location` is a local path or a URI.

    :raises StorageError, UsageError: as `open_store`.
    """
    location, _, query = location.partition("?") if "://" in location else (location, "", "")
    directory, _, name = location.rpartition("/")
    if not directory and "://" not in location:
        directory = "/" if location.startswith("/") else "."
    return open_store(directory + ("?" + query if query else "")), name
