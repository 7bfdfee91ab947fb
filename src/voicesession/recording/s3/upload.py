"""An object in parts: sent one after the other, whole at the end or gone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from anyio import Semaphore, to_thread
from attrs import frozen

from ...core.errors import StoreError
from ...core.segments import MAX_PARTS
from ...ports.objects import ObjectNotFound
from .bucket import Bucket
from .faults import UploadLost

__all__ = ("Part", "Upload", "etag_of_parts", "parts_of")


@frozen
class Part:
    """A piece of an object as S3 takes it."""

    data: bytes
    is_last: bool


def parts_of(pieces: Iterable[bytes], part_bytes: int) -> Iterator[Part]:
    """Yield *pieces* as parts of *part_bytes* each; the last, and only it, may be shorter.

    It is empty only where there are no bytes at all.
    """
    gathered: list[bytes | memoryview] = []
    missing_bytes = part_bytes
    for piece in pieces:
        rest = memoryview(piece)
        while len(rest) > missing_bytes:
            yield Part(b"".join((*gathered, rest[:missing_bytes])), is_last=False)
            rest = rest[missing_bytes:]
            gathered, missing_bytes = [], part_bytes
        gathered.append(rest)
        missing_bytes -= len(rest)
    yield Part(b"".join(gathered), is_last=True)


class Upload:
    """One object on its way. Used once: ``send`` or ``put`` returns when it is there."""

    def __init__(self, bucket: Bucket, key: str, object_key: str, said: dict[str, Any]) -> None:
        """Prepare; asks nothing of S3 yet.

        Args:
            key: For what is told of it.
            object_key: Its key in the bucket.
            said: What the request that begins it says of the object.
        """
        self._bucket = bucket
        self._key = key
        self._object_key = object_key
        self._said = said
        self._upload_id = ""
        self._etags: list[str] = []

    async def send(self, parts: Iterator[Part], slots: Semaphore) -> None:
        """Send *parts*: a single one at once, more as a multipart upload.

        Args:
            slots: One is held while a part is in memory.

        Raises:
            StoreError: It is not there, or that is unknown. Nothing else is left of it,
                unless S3 could not be told: then it is an unfinished upload.
        """
        try:
            is_whole = False
            while not is_whole:
                async with slots:
                    part = await to_thread.run_sync(next, parts)
                    is_whole = part.is_last
                    if is_whole and not self._etags:
                        await self.put(part.data)
                        return
                    await self._send(part.data)
            await self._complete()
        except BaseException:
            await self._abort()
            raise

    async def put(self, data: bytes) -> None:
        """Send *data* in one request.

        Raises:
            StoreError: As ``send``.
        """
        await self._bucket.write(
            self._key,
            lambda client: client.put_object(
                Bucket=self._bucket.name, Key=self._object_key, Body=data, **self._said
            ),
        )

    async def _send(self, data: bytes) -> None:
        number = len(self._etags) + 1
        if number > MAX_PARTS:
            raise StoreError(f"{self._key} is longer than {MAX_PARTS} parts of {len(data)} bytes")
        if not self._upload_id:
            begun = await self._bucket.write(
                self._key,
                lambda client: client.create_multipart_upload(
                    Bucket=self._bucket.name, Key=self._object_key, **self._said
                ),
            )
            self._upload_id = begun["UploadId"]
        sent = await self._bucket.write(
            self._key,
            lambda client: client.upload_part(
                Bucket=self._bucket.name,
                Key=self._object_key,
                UploadId=self._upload_id,
                PartNumber=number,
                Body=data,
            ),
        )
        self._etags.append(sent["ETag"])

    async def _complete(self) -> None:
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(self._etags, 1)]
        try:
            await self._bucket.write(
                self._key,
                lambda client: client.complete_multipart_upload(
                    Bucket=self._bucket.name,
                    Key=self._object_key,
                    UploadId=self._upload_id,
                    MultipartUpload={"Parts": parts},
                ),
            )
        except UploadLost:
            # A try whose answer was lost may have completed it.
            if not await self._is_there():
                raise

    async def _is_there(self) -> bool:
        with suppress(ObjectNotFound):
            found = await self._bucket.read(
                self._key,
                lambda client: client.head_object(Bucket=self._bucket.name, Key=self._object_key),
            )
            return bool(found["ETag"] == etag_of_parts(self._etags))
        return False

    async def _abort(self) -> None:
        if self._upload_id:
            with suppress(StoreError):  # it is among the unfinished uploads, then
                await self._bucket.write_once(
                    self._key,
                    lambda client: client.abort_multipart_upload(
                        Bucket=self._bucket.name, Key=self._object_key, UploadId=self._upload_id
                    ),
                )


def etag_of_parts(etags: Sequence[str]) -> str:
    """Return the ETag of an object made of parts with *etags*; "" where S3 gives it another.

    It is the MD5 of their MD5s, and how many they are, unless a key of KMS was used:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    """
    try:
        hashes = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    except ValueError:
        return ""
    return f'"{hashlib.md5(hashes, usedforsecurity=False).hexdigest()}-{len(etags)}"'
