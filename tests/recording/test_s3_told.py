"""Which error of ours stands for which of the client's."""

from __future__ import annotations

from copy import copy

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
)
from botocore.parsers import ResponseParserError

from voicesession.core.errors import StoreError, StoreTimeout, StoreUnavailable
from voicesession.ports.objects import CredentialsExpired, ObjectNotFound, StoreAccessDenied
from voicesession.recording.s3 import BucketNotFound, UploadLost
from voicesession.recording.s3.faults import telling

ANSWERS = """
NoSuchKey                 404  ObjectNotFound
404                       404  ObjectNotFound
NoSuchBucket              404  BucketNotFound
NoSuchUpload              404  UploadLost
AccessDenied              403  StoreAccessDenied
403                       403  StoreAccessDenied
InvalidAccessKeyId        403  StoreAccessDenied
SignatureDoesNotMatch     403  StoreAccessDenied
ExpiredToken              400  CredentialsExpired
ExpiredToken              403  CredentialsExpired
BadDigest                 400  StoreUnavailable
XAmzContentSHA256Mismatch 400  StoreUnavailable
IncompleteBody            400  StoreUnavailable
RequestTimeout            400  StoreUnavailable
SlowDown                  503  StoreUnavailable
InternalError             500  StoreUnavailable
InternalError             200  StoreUnavailable
TooManyRequests           429  StoreUnavailable
502                       502  StoreUnavailable
EntityTooSmall            400  StoreError
NoSuchTrouble             418  StoreError
"""
RETRYABLE = {StoreUnavailable, StoreTimeout, CredentialsExpired, UploadLost}
KINDS = {
    kind.__name__: kind
    for kind in (*RETRYABLE, ObjectNotFound, BucketNotFound, StoreAccessDenied, StoreError)
}


def told(error: BaseException) -> StoreError:
    with pytest.raises(StoreError) as raised, telling("recordings", "a/b"):
        raise error
    assert raised.value.__cause__ is error
    return raised.value


@pytest.mark.parametrize("row", ANSWERS.strip().splitlines(), ids=lambda row: row.split()[0])
def test_an_answer_is_told_by_its_code_and_else_by_its_status(row: str) -> None:
    code, status, kind = row.split()
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": int(status)}}
    error = told(ClientError(answer, "PutObject"))
    assert type(error) is KINDS[kind]
    assert error.retryable == (type(error) in RETRYABLE)
    assert "a/b" in str(error) or "recordings" in str(error)
    assert str(copy(error)) == str(error)  # as it would be unpickled


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (TimeoutError(), StoreTimeout),
        (HTTPClientError(error="cut"), StoreTimeout),
        (ResponseParserError("not XML"), StoreTimeout),
        (KeyError("ETag"), StoreTimeout),
        (ConnectTimeoutError(endpoint_url="http://host"), StoreUnavailable),
        (CredentialRetrievalError(provider="role", error_msg="away"), StoreUnavailable),
        (NoCredentialsError(), StoreAccessDenied),
        (BotoCoreError(), StoreError),
    ],
    ids=repr,
)
def test_what_is_no_answer_is_told_by_whether_the_write_may_have_happened(
    error: BaseException, kind: type[StoreError]
) -> None:
    assert type(told(error)) is kind


def test_what_is_not_of_s3_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), telling("recordings", "a/b"):
        raise ZeroDivisionError
