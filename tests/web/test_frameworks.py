"""Who uses one framework needs no other, and is told what to install."""

import subprocess
import sys

import pytest

SERVES = """
import anyio, httpx2, sys
sys.modules["fastapi"] = None
import voicesession
from voicesession.web.starlette import voice_app

async def main():
    async with voicesession.open() as voice:
        transport = httpx2.ASGITransport(voice_app(voice))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            print((await client.post("/v1/sessions", json={})).status_code)

anyio.run(main)
"""


def told_by(program: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    return ran.stdout + ran.stderr.strip().rpartition("\n")[2]


def test_starlette_serves_everything_where_there_is_no_fastapi() -> None:
    assert told_by(SERVES).startswith("201\n")


@pytest.mark.parametrize(
    ("adapter", "missing", "extra"),
    [("fastapi", "fastapi", "fastapi"), ("starlette", "starlette", "web")],
)
def test_what_is_missing_is_named_with_the_extra_that_brings_it(
    adapter: str, missing: str, extra: str
) -> None:
    told = told_by(
        f"import sys; sys.modules['{missing}'] = None; import voicesession.web.{adapter}"
    )
    assert f'pip install "voicesession[{extra}]"' in told
