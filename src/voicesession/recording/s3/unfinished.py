"""Uploads that were begun and never finished: they take room, and no listing shows them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from ...ports.objects import UnfinishedUpload
from ..keys import is_key
from .bucket import Bucket

__all__ = ("unfinished_uploads",)


async def unfinished_uploads(
    bucket: Bucket, root: str, prefix: str
) -> AsyncIterator[UnfinishedUpload]:
    """Yield those under keys that begin with *prefix*, in order of their keys.

    Args:
        root: What stands before keys in the bucket.

    Raises:
        StoreError: They could not be listed.
    """
    marks: dict[str, str] = {}
    is_more = True
    while is_more:
        page = await _page(bucket, root + prefix, marks)
        for one in page.get("Uploads", ()):
            key = one["Key"].removeprefix(root)
            if is_key(key):
                yield UnfinishedUpload(
                    key=key, upload_id=one["UploadId"], begun_at=one["Initiated"]
                )
        is_more = page["IsTruncated"]
        marks = {
            "KeyMarker": page.get("NextKeyMarker", ""),
            "UploadIdMarker": page.get("NextUploadIdMarker", ""),
        }


async def _page(bucket: Bucket, prefix: str, marks: dict[str, str]) -> dict[str, Any]:
    return await bucket.read(
        prefix,
        lambda client: client.list_multipart_uploads(Bucket=bucket.name, Prefix=prefix, **marks),
    )
