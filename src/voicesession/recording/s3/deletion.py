"""Objects go, and with them what the bucket keeps of their past."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final

from ...core.errors import StoreError
from .bucket import Bucket, S3Client

__all__ = ("delete", "delete_all")

_AT_ONCE: Final = 1_000
"""S3 takes no more in one request."""


async def delete_all(bucket: Bucket, root: str, keys: Sequence[str]) -> None:
    """Remove the objects, all their versions and the markers of former deletions.

    Args:
        root: What stands before keys in the bucket.

    Raises:
        StoreError: Something of them may be left.
    """
    # The first says whether the bucket keeps versions: not all servers say it of many at once.
    has_versions, others = False, keys[1:]
    for key in keys[:1]:
        has_versions = await delete(bucket, key, root + key)
    if has_versions:
        for key in others:
            await delete(bucket, key, root + key)
            await _delete_versions(bucket, key, root + key)  # a mark of nothing is not told
        return
    for start in range(0, len(others), _AT_ONCE):
        some = others[start : start + _AT_ONCE]
        gone = await _deleted_at_once(bucket, [root + key for key in some])
        for key in some:
            if root + key not in gone:
                await delete(bucket, key, root + key)


async def delete(bucket: Bucket, key: str, object_key: str) -> bool:
    """Remove the object, all its versions and the markers; return whether there are such.

    Args:
        key: For what is told of it.
        object_key: Its key in the bucket.

    Raises:
        StoreError: Something of it may be left.
    """
    done = await bucket.write(
        key, lambda client: client.delete_object(Bucket=bucket.name, Key=object_key)
    )
    # Only a bucket with versions names the one that it has made to mark the deletion.
    has_versions = bool(done.get("VersionId"))
    if has_versions:
        await _delete_versions(bucket, key, object_key)
    return has_versions


async def _deleted_at_once(bucket: Bucket, object_keys: Sequence[str]) -> Collection[str]:
    """Ask once for all of them to be removed; return those of which nothing is left.

    An error is not told: not all that speak S3 know this request, and what has not gone is
    asked for key by key.
    """
    wanted = {"Objects": [{"Key": object_key} for object_key in object_keys]}
    try:
        done: dict[str, Any] = await bucket.write_once(
            f"{len(object_keys)} objects",
            lambda client: client.delete_objects(Bucket=bucket.name, Delete=wanted),
        )
    except StoreError:
        return ()
    return {one["Key"] for one in done.get("Deleted", ()) if not one.get("DeleteMarker")}


async def _delete_versions(bucket: Bucket, key: str, object_key: str) -> None:
    while versions := await _versions(bucket, key, object_key):
        for version_id in versions:
            await bucket.write(key, partial(_delete_version, bucket.name, object_key, version_id))


async def _delete_version(
    bucket_name: str, object_key: str, version_id: str, client: S3Client
) -> None:
    await client.delete_object(Bucket=bucket_name, Key=object_key, VersionId=version_id)


async def _versions(bucket: Bucket, key: str, object_key: str) -> list[str]:
    """Some of the versions and markers of the object; none when there are no more."""
    listed = await bucket.read(
        key,
        lambda client: client.list_object_versions(Bucket=bucket.name, Prefix=object_key),
    )
    # Those of the key itself come before those of longer ones.
    return [
        one["VersionId"]
        for one in (*listed.get("Versions", ()), *listed.get("DeleteMarkers", ()))
        if one["Key"] == object_key
    ]
