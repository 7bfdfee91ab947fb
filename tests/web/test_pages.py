"""The pages about HTTP say what the tables of the code say, and what they show runs."""

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from voicesession.web.principal import Principal
from voicesession.web.routes import ROUTES, SESSION_ROUTES
from voicesession.web.statuses import STATUSES

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "reference" / "http.md").read_text()
HOW_TO = (DOCS / "how-to" / "fastapi.md").read_text()


def test_the_page_lists_every_call_and_no_other() -> None:
    told = re.findall(r"^\| `([A-Z].*?)` `(/.*?)` \| (.*?) \| (.*?) \|$", REFERENCE, re.MULTILINE)
    assert told == [
        (
            ", ".join(route.methods),
            ("/v1/sessions" if route in SESSION_ROUTES else "") + route.path,
            " or ".join(sorted(route.permissions)) or "nobody is asked",
            route.summary,
        )
        for route in ROUTES
    ]


def test_the_page_lists_every_code_under_its_status() -> None:
    told = re.findall(r"^\| (\d{3}) \| (.*?) \|$", REFERENCE, re.MULTILINE)
    assert {
        code: int(status) for status, codes in told for code in re.findall(r"`(\w+)`", codes)
    } == {code: status.http for code, status in STATUSES.items()}


async def test_what_the_how_to_shows_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", HOW_TO, re.DOTALL):
        exec(block, names)  # noqa: S102  # it is our own page
    transport = httpx2.ASGITransport(names["app"])
    async with (
        names["voice"],
        httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        session = (await client.post("/v1/sessions", json={})).json()["session"]
    assert (session["tenant_id"], session["user_id"]) == ("acme", "ada")
    assert isinstance(await names["principal_of_my_user"](), Principal)
