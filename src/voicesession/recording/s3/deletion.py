"""An object goes, and with it what the bucket keeps of its past."""

from __future__ import annotations

from functools import partial

from .bucket import Bucket, S3Client

__all__ = ("delete",)


async def delete(bucket: Bucket, key: str, object_key: str) -> None:
    """Remove the object, all its versions and the markers of former deletions.

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
    if done.get("VersionId"):
        while versions := await _versions(bucket, key, object_key):
            for version_id in versions:
                await bucket.write(
                    key, partial(_delete_version, bucket.name, object_key, version_id)
                )


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
