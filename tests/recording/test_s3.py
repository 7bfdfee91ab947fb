from __future__ import annotations

from typing import Any

import pytest
from tests.servers.s3 import S3Server

from voicesession.recording.s3 import S3ObjectStore
from voicesession.testing.contracts.objects import ObjectStoreContract


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def s3_server(moto: S3Server) -> S3Server:
    return moto


class TestS3ObjectStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, client: Any, bucket: str, place: str) -> S3ObjectStore:
        return S3ObjectStore(bucket, place, client=client)
