"""What S3 cannot do without."""

from __future__ import annotations

import subprocess
import sys

import anyio
import pytest

from voicesession.core.errors import WrongEventLoop
from voicesession.recording.s3 import S3ObjectStore


def test_under_trio_it_says_at_its_first_use_that_it_cannot_run() -> None:
    async def use() -> None:
        store = S3ObjectStore("recordings", region="us-east-1")
        for attempt in (store.put("a", b""), store.put_pieces("a", []), store.get("a")):
            with pytest.raises(WrongEventLoop, match="S3ObjectStore"):
                await attempt
        with pytest.raises(WrongEventLoop, match="S3ObjectStore"):
            await store.find()
        with pytest.raises(WrongEventLoop, match="S3ObjectStore"):
            async with store:
                pass

    anyio.run(use, backend="trio")


def test_without_its_extra_it_says_which_one_to_install() -> None:
    program = "import sys; sys.modules['aiobotocore'] = None; import voicesession.recording.s3"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert b'pip install "voicesession[s3]"' in ran.stderr
