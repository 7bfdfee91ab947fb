"""Objects in a bucket, under a prefix that they never leave."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import PurePosixPath
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

from anyio import Semaphore

from ..._loop import require_asyncio
from ...core.errors import InvalidConfig, InvalidValue
from ...core.instants import as_utc
from ...ports.objects import StoredObject, UnfinishedUpload
from ..keys import check_key, check_page, check_range, is_key
from .bucket import Bucket, HostsClient, OwnClient, S3Client
from .deletion import delete, delete_all
from .faults import BeyondTheEnd, UploadLost
from .location import Location, parsed
from .settings import S3Limits, S3Options
from .unfinished import unfinished_uploads
from .upload import Upload, parts_of

__all__ = ("S3ObjectStore",)

_PAGE: Final = 1_000
"""S3 lists no more at once."""
_LONGEST_SIGNED: Final = timedelta(days=7)
_CONTENT_TYPES: Final = MappingProxyType({".wav": "audio/wav", ".json": "application/json"})


class S3ObjectStore:
    """Keeps each object as ``{prefix}/{key}`` in a bucket. Runs on asyncio, in one event loop.

    Close it by ``aclose``, or use it as an async context manager; used after that, it
    opens its client anew. A write that has begun is not cancelled: who cancels waits for
    the request, ``S3Limits.request_us`` at most.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        endpoint_url: str | None = None,
        region: str | None = None,
        client: S3Client | None = None,
        options: S3Options | None = None,
        limits: S3Limits | None = None,
    ) -> None:
        """Prepare; opens nothing yet.

        Args:
            prefix: No key leads out of it, and nothing outside of it is listed or removed.
            endpoint_url: Of a store that is not AWS.
            client: The host's own, which the host closes; its endpoint, region, deadlines
                and retries hold, and then ours.
            options: How objects are kept.
            limits: How long requests take, and what is in memory.

        Raises:
            InvalidConfig: No bucket has such a name, or the prefix is not like a key; or
                *client* and a place for another one are given.
        """
        if client is not None and (endpoint_url or region):
            raise InvalidConfig("client", "given beside a place for another", "one or the other")
        self._place = Location(
            bucket=bucket, prefix=prefix, endpoint_url=endpoint_url, region=region
        )
        self._options = options or S3Options()
        self._limits = limits or S3Limits()
        self._bucket = Bucket(
            bucket,
            HostsClient(client)
            if client
            else OwnClient(
                endpoint_url=endpoint_url,
                region=region,
                checksums=self._options.checksums,
                limits=self._limits,
            ),
            self._limits,
        )
        self._slots = Semaphore(self._limits.uploads_at_once)

    @classmethod
    def at(cls, url: str, *, limits: S3Limits | None = None) -> Self:
        """Return the store that ``s3://bucket/prefix?option=…`` names.

        Options are ``endpoint_url``, ``region``, ``encryption`` (AES256 or aws:kms),
        ``kms_key_id``, ``storage_class`` and ``checksums`` (when_required, when_supported).

        Raises:
            InvalidConfig: It names none; or it holds credentials, which belong into the
                environment.
        """
        place, options = parsed(url)
        return cls(
            place.bucket,
            place.prefix,
            endpoint_url=place.endpoint_url,
            region=place.region,
            options=options,
            limits=limits,
        )

    async def __aenter__(self) -> Self:
        require_asyncio(type(self).__name__)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client, unless it is the host's. Twice is harmless."""
        await self._bucket.aclose()

    # --- ObjectStore -------------------------------------------------------------------------

    async def put(self, key: str, data: bytes, /) -> str:
        """See ``ObjectStore.put``. What is longer than a part goes in parts."""
        if len(data) > self._limits.part_bytes:
            return await self.put_pieces(key, (data,))
        await self._upload(key).put(BytesIO(data))
        return self._place.uri + key

    async def put_pieces(self, key: str, pieces: Iterable[bytes], /) -> str:
        """See ``ObjectStore.put_pieces``. It keeps one part of it in memory."""
        parts = parts_of(pieces, self._limits.part_bytes)
        await self._upload(key).send(parts, self._slots)
        return self._place.uri + key

    async def get(self, key: str, /, *, start: int = 0, end: int | None = None) -> bytes:
        """See ``ObjectStore.get``."""
        check_key(key)
        check_range(start, end)
        if end is not None:
            # S3 knows no empty range: that of one byte tells whether there is such an object.
            found = await self._read(key, Range=f"bytes={start}-{max(end - 1, start)}")
            return found[: end - start]
        if start:
            return await self._read(key, Range=f"bytes={start}-")
        return await self._read(key)  # no range: so a CRC that was kept is compared

    async def find(
        self, prefix: str = "", /, *, after: str = "", limit: int = 1_000
    ) -> Sequence[StoredObject]:
        """See ``ObjectStore.find``. Whatever else lies under the prefix is passed over."""
        check_page(prefix, limit)
        root = self._place.root
        found: list[StoredObject] = []
        behind, is_more = root + after, True
        while is_more and len(found) < limit:
            page = await self._page(prefix, behind, min(limit - len(found), _PAGE))
            for one in page.get("Contents", ()):
                behind = one["Key"]
                key = behind.removeprefix(root)
                if is_key(key):
                    found.append(StoredObject(key, one["Size"], one["LastModified"]))
            is_more = page["IsTruncated"]
        return found

    async def delete(self, key: str, /) -> None:
        """See ``ObjectStore.delete``. Markers of former deletions go, too."""
        check_key(key)
        await delete(self._bucket, key, self._object_key(key))

    # --- BulkDeletion ------------------------------------------------------------------------

    async def delete_all(self, keys: Sequence[str], /) -> None:
        """See ``BulkDeletion.delete_all``."""
        for key in keys:
            check_key(key)
        await delete_all(self._bucket, self._place.root, keys)

    # --- SignedUrls --------------------------------------------------------------------------

    async def signed_url(
        self, key: str, /, *, expires_in: timedelta, filename: str | None = None
    ) -> str:
        """See ``SignedUrls.signed_url``."""
        check_key(key)
        if not timedelta(seconds=1) <= expires_in <= _LONGEST_SIGNED:
            raise InvalidValue("expires_in", expires_in, "1 second to 7 days")
        wanted = {"Bucket": self._bucket.name, "Key": self._object_key(key)}
        if filename is not None:
            wanted["ResponseContentDisposition"] = _attachment(filename)
        return await self._bucket.read(
            key,
            lambda client: client.generate_presigned_url(
                "get_object", Params=wanted, ExpiresIn=int(expires_in.total_seconds())
            ),
        )

    # --- UnfinishedUploads -------------------------------------------------------------------

    async def unfinished_uploads(
        self, prefix: str = "", /, *, begun_before: datetime
    ) -> Sequence[UnfinishedUpload]:
        """See ``UnfinishedUploads.unfinished_uploads``."""
        check_page(prefix, 1)
        before = as_utc(begun_before)
        listed = unfinished_uploads(self._bucket, self._place.root, prefix)
        return [upload async for upload in listed if upload.begun_at < before]

    async def abort_upload(self, upload: UnfinishedUpload, /) -> None:
        """See ``UnfinishedUploads.abort_upload``."""
        check_key(upload.key)
        with suppress(UploadLost):  # it is gone, then
            await self._bucket.write(
                upload.key,
                lambda client: client.abort_multipart_upload(
                    Bucket=self._bucket.name,
                    Key=self._object_key(upload.key),
                    UploadId=upload.upload_id,
                ),
            )

    # --- requests ----------------------------------------------------------------------------

    def _object_key(self, key: str) -> str:
        return self._place.root + key

    def _upload(self, key: str) -> Upload:
        check_key(key)
        require_asyncio(type(self).__name__)
        said = self._options.of_request()
        suffix = PurePosixPath(key).suffix
        if suffix in _CONTENT_TYPES:
            said["ContentType"] = _CONTENT_TYPES[suffix]
        return Upload(self._bucket, key, self._object_key(key), said)

    async def _read(self, key: str, **byte_range: str) -> bytes:
        async def request(client: S3Client) -> bytes:
            found = await client.get_object(
                Bucket=self._bucket.name, Key=self._object_key(key), **byte_range
            )
            async with found["Body"] as body:
                read: bytes = await body.read()
                return read

        try:
            return await self._bucket.read(key, request)
        except BeyondTheEnd:
            return b""

    async def _page(self, prefix: str, behind: str, limit: int) -> dict[str, Any]:
        return await self._bucket.read(
            prefix,
            lambda client: client.list_objects_v2(
                Bucket=self._bucket.name,
                Prefix=self._place.root + prefix,
                StartAfter=behind,
                MaxKeys=limit,
            ),
        )


def _attachment(filename: str) -> str:
    """Return the header that makes a browser save what it gets (RFC 6266, section 4)."""
    if not filename.strip() or "/" in filename or not filename.isprintable():
        raise InvalidValue("filename", filename, "the name of a file, in printable characters")
    return f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
