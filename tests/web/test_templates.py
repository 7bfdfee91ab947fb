"""Templates over HTTP."""

from collections.abc import Callable

import httpx2

TEMPLATES = "/v1/templates"
WISH = {
    "name": "Interview",
    "language": "en",
    "modality_profile": "audio+camera",
    "enabled_panels": ["notes"],
    "max_active_seconds": 60,
    "audio_budget_minutes": 1.5,
    "agent_metadata": {"role": "host"},
}


async def test_a_template_is_made_shown_replaced_and_deleted(
    boss: httpx2.AsyncClient, ada: httpx2.AsyncClient
) -> None:
    made = await boss.post(TEMPLATES, json=WISH)
    template = made.json()["template"]
    assert made.status_code == 201
    assert template.items() >= WISH.items()
    url = f"{TEMPLATES}/{template['id']}"
    assert (await ada.get(url)).json()["template"] == template
    replaced = (await boss.put(url, json={"name": "Talk"})).json()["template"]
    assert (replaced["name"], replaced["language"], replaced["id"]) == (
        "Talk",
        None,
        template["id"],
    )
    assert replaced["created_at"] == template["created_at"]
    assert (await boss.delete(url)).json() == {"deleted": True, "template_id": template["id"]}
    for answer in (await ada.get(url), await boss.delete(url), await boss.put(url, json=WISH)):
        assert (answer.status_code, answer.json()["code"]) == (404, "template_not_found")


async def test_what_is_null_is_left_to_the_session_again(boss: httpx2.AsyncClient) -> None:
    plain = (await boss.post(TEMPLATES, json={"name": "Talk"})).json()["template"]
    full = (await boss.post(TEMPLATES, json=WISH)).json()["template"]
    nothing = {"language": None, "enabled_panels": None, "max_active_seconds": None}
    wish = {"name": "Talk", "audio_budget_minutes": None} | nothing
    emptied = (await boss.put(f"{TEMPLATES}/{full['id']}", json=wish)).json()["template"]
    of_its_own = ("id", "created_at", "updated_at")
    assert emptied == plain | {name: emptied[name] for name in of_its_own}


async def test_a_session_begins_with_what_its_template_says(
    boss: httpx2.AsyncClient, ada: httpx2.AsyncClient
) -> None:
    template = (await boss.post(TEMPLATES, json=WISH)).json()["template"]
    wish = {"session_template_id": template["id"]}
    session = (await ada.post("/v1/sessions", json=wish)).json()["session"]
    assert (session["language"], session["enabled_panels"]) == ("en", ["notes"])
    own = (await ada.post("/v1/sessions", json=wish | {"language": "de"})).json()["session"]
    assert own["language"] == "de"


async def test_templates_come_in_pages(
    boss: httpx2.AsyncClient, as_person: Callable[..., httpx2.AsyncClient]
) -> None:
    made = [
        (await boss.post(TEMPLATES, json={"name": f"no. {number}"})).json()["template"]["id"]
        for number in range(3)
    ]
    first = (await boss.get(TEMPLATES, params={"limit": 2})).json()
    cursor = first["pagination"]["next_cursor"]
    rest = (await boss.get(TEMPLATES, params={"limit": 2, "cursor": cursor})).json()
    assert [one["id"] for one in first["templates"] + rest["templates"]] == sorted(made)
    assert rest["pagination"]["has_more"] is False
    assert (await as_person("eve").get(TEMPLATES)).json()["templates"] == []
