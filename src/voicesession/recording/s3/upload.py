"""An object in parts: sent one after the other, whole at the end or gone."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from typing import Any

from anyio import Semaphore, to_thread
from attrs import frozen

from ...core.errors import StoreError
from ...core.segments import MAX_PARTS
from ...ports.objects import ObjectNotFound
from .bucket import Bucket, S3Client
from .faults import UploadLost
from .settings import Checksums

__all__ = ("Part", "Upload", "etag_of_parts", "parts_of")


@frozen
class Part:
    """A piece of an object as S3 takes it: all of *body*, which stands at its beginning."""

    body: BytesIO
    is_last: bool


def parts_of(pieces: Iterable[bytes], part_bytes: int) -> Iterator[Part]:
    """Yield *pieces* as parts of *part_bytes* each; the last, and only it, may be shorter.

    It is empty only where there are no bytes at all. Each part takes the place of the one
    before: they have one body, as new memory costs as much as what is copied into it.
    """
    body = BytesIO()
    for piece in pieces:
        rest = memoryview(piece)
        while len(rest) > (missing_bytes := part_bytes - body.tell()):
            body.write(rest[:missing_bytes])
            body.seek(0)
            yield Part(body, is_last=False)
            body.seek(0)
            rest = rest[missing_bytes:]
        body.write(rest)
    body.truncate()
    body.seek(0)
    yield Part(body, is_last=True)


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
                        await self.put(part.body)
                        return
                    await self._send(part.body)
            await self._complete()
        except BaseException:
            await self._abort()
            raise

    async def put(self, body: BytesIO) -> None:
        """Send *body* in one request.

        Raises:
            StoreError: As ``send``.
        """
        await self._bucket.write(
            self._key,
            lambda client: client.put_object(
                Bucket=self._bucket.name,
                Key=self._object_key,
                **_content(client, body),
                **self._said,
            ),
        )

    async def _send(self, body: BytesIO) -> None:
        number = len(self._etags) + 1
        if number > MAX_PARTS:
            raise StoreError(f"{self._key} is longer than {MAX_PARTS} parts")
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
                **_content(client, body),
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


def _content(client: S3Client, body: BytesIO) -> dict[str, Any]:
    """Return what a request says of *body*, which a try before may have read.

    Over TLS, a hash among the signed headers stands for the slower one of the signature: so
    the client decides, and no proxy can change what TLS protects.
    """
    body.seek(0)
    content: dict[str, Any] = {"Body": body}
    config = client.meta.config
    is_plain = not client.meta.endpoint_url.startswith("https:")
    if is_plain or config.request_checksum_calculation != Checksums.WHEN_REQUIRED:
        return content
    with body.getbuffer() as data:
        md5 = hashlib.md5(data, usedforsecurity=False).digest()
    return content | {"ContentMD5": b64encode(md5).decode()}


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
