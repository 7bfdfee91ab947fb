"""What goes wrong with S3, in our words: which error, and whether another try may help."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

from aiohttp import ClientConnectorError, ClientError as BrokenOff
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from ...core.errors import StoreError, StoreTimeout, StoreUnavailable
from ...ports.objects import CredentialsExpired, ObjectNotFound, StoreAccessDenied

__all__ = ("BeyondTheEnd", "BucketNotFound", "UploadLost", "telling")


class BucketNotFound(StoreError):
    """There is no bucket of this name, or not at this endpoint."""

    code = "bucket_not_found"

    def __init__(self, bucket: str) -> None:
        super().__init__(bucket)
        self.bucket = bucket

    def __str__(self) -> str:
        return f"there is no bucket {self.bucket}"


class UploadLost(StoreError):
    """Somebody aborted the upload, or finished it, while it was under way."""

    code = "upload_lost"
    retryable = True


class BeyondTheEnd(StoreError):
    """The object is there, but no byte of it lies in the range: nobody outside is told so."""


_BY_CODE: Final[Mapping[str, Callable[[str], StoreError]]] = MappingProxyType(
    {
        "NoSuchUpload": UploadLost,
        "InvalidRange": BeyondTheEnd,
        **dict.fromkeys(("ExpiredToken", "ExpiredTokenException"), CredentialsExpired),
        "TokenRefreshRequired": CredentialsExpired,
        # What was sent is not what arrived, and was not kept.
        **dict.fromkeys(("BadDigest", "IncompleteBody", "InvalidDigest"), StoreUnavailable),
        "XAmzContentSHA256Mismatch": StoreUnavailable,
        # Refused for now, whatever the status: S3 also says so in the body of a 200.
        **dict.fromkeys(("InternalError", "ServiceUnavailable", "SlowDown"), StoreUnavailable),
        **dict.fromkeys(("Throttling", "ThrottlingException"), StoreUnavailable),
        **dict.fromkeys(("RequestTimeout", "RequestLimitExceeded"), StoreUnavailable),
        "OperationAborted": StoreUnavailable,
    }
)
"""What S3 answers, by its codes:
https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"""
_BROKEN_OFF: Final = (HTTPClientError, IncompleteReadError, FlexibleChecksumError, BrokenOff)
_ABSENT: Final = frozenset({"NoSuchKey", "NoSuchVersion", "404"})
_DENIED: Final = frozenset({401, 403})
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500


@contextmanager
def telling(bucket: str, key: str) -> Generator[None]:
    """Raise what the client raises as a StoreError, which has it as its cause.

    Args:
        key: What the request is about, as the caller knows it.
    """
    try:
        yield
    except ClientError as error:
        raise _answered(error, bucket, key) from error
    except TimeoutError as error:
        raise StoreTimeout(f"{bucket}: no answer in time for {key}") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StoreAccessDenied(f"{bucket}: {error}") from error
    except (ConnectTimeoutError, CredentialRetrievalError) as error:
        raise StoreUnavailable(f"{bucket}: {error}") from error
    except EndpointConnectionError as error:
        raise _unreached(error, bucket, key) from error
    except _BROKEN_OFF as error:
        raise StoreTimeout(f"{bucket}: the answer for {key} broke off, or was damaged") from error
    except BotoCoreError as error:
        raise StoreError(f"{bucket}: {error}") from error
    except (ResponseParserError, LookupError, ValueError) as error:
        # What was damaged on its way may be anything.
        raise StoreTimeout(f"{bucket}: the answer for {key} makes no sense") from error


def _unreached(error: Any, bucket: str, key: str) -> StoreUnavailable:
    # The client says "could not connect", too, where a connection broke off in the middle.
    if isinstance(error.kwargs.get("error"), ClientConnectorError):
        return StoreUnavailable(f"{bucket}: {error}")
    return StoreTimeout(f"{bucket}: the connection broke off at {key}")


def _answered(error: Any, bucket: str, key: str) -> StoreError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"{bucket}: {error.operation_name} of {key}: {code} ({status})"
    if code == "NoSuchBucket":
        return BucketNotFound(bucket)
    if code in _ABSENT:
        return ObjectNotFound(key)
    return _BY_CODE.get(code, _by_status(status))(said)


def _by_status(status: int) -> Callable[[str], StoreError]:
    if status in _DENIED:
        return StoreAccessDenied
    if status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR:
        return StoreUnavailable
    return StoreError
