"""A completion that was done and never answered, by a server that then knows no such upload."""

from __future__ import annotations

import pytest
from tests.servers.forgetful_s3 import ForgetfulS3, running_forgetful_s3

from voicesession.core.backoff import Backoff
from voicesession.core.segments import MIN_PART_BYTES
from voicesession.recording.s3 import S3Limits, S3ObjectStore, UploadLost

LIMITS = S3Limits(backoff=Backoff(retries=2, first_us=1_000, longest_us=10_000))
SENT = ["POST uploads", "PUT partNumber uploadId", "PUT partNumber uploadId"]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("loses_object", [False, True])
async def test_an_upload_that_nobody_knows_any_more_is_done_if_the_object_is_made_of_it(
    s3_environment: pytest.MonkeyPatch, *, loses_object: bool
) -> None:
    server = ForgetfulS3(loses_object=loses_object)
    async with (
        running_forgetful_s3(server) as url,
        S3ObjectStore("recordings", endpoint_url=url, region="us-east-1", limits=LIMITS) as store,
    ):
        if loses_object:
            with pytest.raises(UploadLost):
                await store.put("a/b", bytes(MIN_PART_BYTES + 1))
        else:
            assert await store.put("a/b", bytes(MIN_PART_BYTES + 1)) == "s3://recordings/a/b"
    ending = ["HEAD", "DELETE uploadId"] if loses_object else ["HEAD"]
    assert server.requests == [*SENT, "POST uploadId", "POST uploadId", *ending]
