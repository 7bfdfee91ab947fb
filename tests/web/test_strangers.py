"""Every row of the table of routes, tried by those who may not: none gets in, and nothing changes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp

from voicesession import SessionManager
from voicesession.core.meters import Meter
from voicesession.schemas.requests import Nothing
from voicesession.web.options import WebOptions
from voicesession.web.principal import Authenticator, Permission, Principal
from voicesession.web.routes import ROUTES, SESSION_ROUTES
from voicesession.web.routing import Route
from voicesession.web.starlette import voice_app

Clients = Callable[..., httpx2.AsyncClient]

PREFIX = "/v1/sessions"
GUARDED = [(route, method) for route in ROUTES if route.permissions for method in route.methods]
OF_A_TENANT = [(route, method) for route, method in GUARDED if route.query is not Nothing]
OF_A_SESSION = [(route, method) for route, method in GUARDED if "{session_id}" in route.path]
NAMING_NOTHING = [(route, method) for route, method in GUARDED if "{" not in route.path]

BODIES: Mapping[str, dict[str, Any]] = {
    "change_session": {"metadata": {"stolen": True}, "audio_minutes_used": 9},
    "create_template": {"name": "planted"},
    "replace_template": {"name": "planted"},
    "set_limit": {"meter": "audio_us", "window": "day", "amount": 0},
    "start_session": {"session_template_id": "tmpl_theirs"},
}
QUERIES = {
    "drop_limit": {"meter": "audio_us", "window": "day"},
    "delete_session": {"end": "true"},
}
ACCOUNTS = [("user", "ada"), ("tenant", "acme"), ("session", "{session_id}")]


class House:
    """What the tenant ``acme`` has, and how it looks."""

    def __init__(self, voice: SessionManager, session_id: str) -> None:
        self.voice = voice.for_tenant("acme")
        self.session_id = session_id

    def path(self, route: Route, account: tuple[str, str]) -> str:
        prefix = PREFIX if route in SESSION_ROUTES else ""
        scope, account_id = account
        return (prefix + route.path).format(
            session_id=self.session_id,
            template_id="tmpl_theirs",
            scope=scope,
            id=account_id.format(session_id=self.session_id),
        )

    async def face(self) -> list[Any]:
        voice, session = self.voice, await self.voice.get(self.session_id)
        kept = await voice.recordings.of(session)
        return [
            session,
            kept,
            await voice.journal(self.session_id),
            await voice.transcript(self.session_id),
            (await voice.find()).sessions,
            await voice.templates.find(),
            *[
                await voice.budgets.standings(voice.budgets.account(scope, who), list(Meter))
                for scope, who in (("user", "ada"), ("tenant", "acme"))
            ],
        ]


@pytest.fixture
async def house(voice: SessionManager, finished: Callable[..., Any]) -> House:
    await voice.for_tenant("acme").templates.create("Theirs", template_id="tmpl_theirs")
    return House(voice, await finished())


@pytest.fixture
def either_app(voice: SessionManager, keys: Authenticator, make_app: Any) -> ASGIApp:
    """The application, with one framework and with the other."""
    made: ASGIApp = make_app(voice, authenticator=keys, options=WebOptions(rate=None))
    return made


@pytest.fixture
def revealing_app(voice: SessionManager, keys: Authenticator) -> ASGIApp:
    """An application that tells whether something is there."""
    options = WebOptions(rate=None, reveal_foreign=True)
    return voice_app(voice, authenticator=keys, options=options)


async def ask(
    client: httpx2.AsyncClient, house: House, route: Route, method: str, **more: Any
) -> httpx2.Response:
    account = more.pop("account", ACCOUNTS[0])
    query = QUERIES.get(route.name, {}) | more.pop("params", {})
    body = BODIES.get(route.name, {}) | more.pop("body", {}) if route.takes_body else None
    return await client.request(method, house.path(route, account), params=query, json=body, **more)


async def tried(
    client: httpx2.AsyncClient, house: House, calls: Sequence[tuple[Route, str]], **more: Any
) -> dict[str, str]:
    """What becomes of each call: its status and its code. Nothing may change by any of them."""
    outcomes: dict[str, str] = {}
    before = await house.face()
    for route, method in calls:
        answer = await ask(client, house, route, method, **more)
        code = answer.json()["code"] if answer.is_error else "let in"
        outcomes[f"{method} {route.path}"] = f"{answer.status_code} {code}"
        assert "treasure" not in answer.text
        assert await house.face() == before, f"{method} {route.path} has changed something"
    return outcomes


def refused(outcomes: Mapping[str, str], status: int) -> bool:
    """Whether every call was answered with *status*; if not, the comparison shows which."""
    others = {call: told for call, told in outcomes.items() if not told.startswith(f"{status} ")}
    assert others == {}
    return len(outcomes) > 0


async def test_another_tenants_administrator_finds_nothing_and_changes_nothing(
    house: House, as_person: Clients, either_app: ASGIApp
) -> None:
    eve = as_person("eve", of=either_app)
    named = [call for call in GUARDED if "{" in call[0].path and "{scope}" not in call[0].path]
    assert refused(await tried(eve, house, named), 404)
    accounts = [call for call in GUARDED if "{scope}" in call[0].path]
    for account in ACCOUNTS[1:]:  # a user of that name may be there in every tenant
        assert refused(await tried(eve, house, accounts, account=account), 404)


@pytest.mark.parametrize("name", ["tenant_id", "namespace_id", "organization_id"])
async def test_to_name_another_tenant_does_not_help(
    house: House, as_person: Clients, name: str
) -> None:
    eve = as_person("eve")
    assert refused(await tried(eve, house, OF_A_TENANT, params={name: "acme"}), 404)
    telling = [call for call in NAMING_NOTHING if call[0].takes_body]
    assert refused(await tried(eve, house, telling, body={name: "acme"}), 404)


async def test_another_user_of_the_tenant_finds_nothing_and_changes_nothing(
    house: House, as_person: Clients
) -> None:
    assert refused(await tried(as_person("bob"), house, OF_A_SESSION), 404)


async def test_an_administrator_who_means_another_user_finds_nothing(
    house: House, as_person: Clients
) -> None:
    boss = as_person("boss")
    assert refused(await tried(boss, house, OF_A_SESSION, params={"user_id": "bob"}), 404)


@pytest.mark.parametrize("account", ACCOUNTS)
async def test_a_user_sees_no_budget_but_their_own(
    house: House, as_person: Clients, account: tuple[str, str]
) -> None:
    route = next(route for route in ROUTES if route.name == "get_budget")
    answer = await ask(as_person("bob"), house, route, "GET", account=account)
    assert answer.status_code == 404
    own = await ask(as_person("bob"), house, route, "GET", account=("user", "bob"))
    assert own.status_code == 200


CREDENTIALS = {
    "none": {},
    "a wrong key": {"x-api-key": "guess"},
    "a wrong token": {"authorization": "Bearer guess"},
    "another scheme": {"authorization": "Basic eA=="},
}


@pytest.mark.parametrize("headers", CREDENTIALS.values(), ids=CREDENTIALS.keys())
async def test_nobody_comes_in_without_credentials(
    house: House, as_person: Clients, headers: dict[str, str]
) -> None:
    assert refused(await tried(as_person(), house, GUARDED, headers=headers), 401)
    answer = await as_person().get(PREFIX, headers=headers)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_door_of_either_framework_is_shut(
    house: House, as_person: Clients, either_app: ASGIApp
) -> None:
    assert refused(await tried(as_person(of=either_app), house, GUARDED), 401)


async def test_without_the_scope_a_call_is_refused(
    house: House, voice: SessionManager, as_person: Clients
) -> None:
    for needed in {route.permissions for route, _ in GUARDED}:
        others = set(Permission) - needed - {Permission.ADMIN}
        somebody = Principal(tenant_id="acme", user_id="ada", scopes=others)
        app = voice_app(voice, authenticator=Always(somebody), options=WebOptions(rate=None))
        calls = [call for call in GUARDED if call[0].permissions == needed]
        assert refused(await tried(as_person(of=app), house, calls), 403)


class Always:
    """An authenticator that takes everybody for one."""

    def __init__(self, principal: Principal) -> None:
        self._principal = principal

    async def authenticate(self, _credentials: object, /) -> Principal:
        return self._principal


async def test_a_host_may_have_it_told_that_a_session_is_somebody_elses(
    house: House, revealing_app: ASGIApp, as_person: Clients
) -> None:
    calls = [call for call in OF_A_SESSION if call[0].name != "refresh_token"]
    for stranger in ("bob", "eve"):
        assert refused(await tried(as_person(stranger, of=revealing_app), house, calls), 403)
    nowhere = await as_person("bob", of=revealing_app).get(f"{PREFIX}/sess_nowhere")
    assert nowhere.status_code == 404


async def test_another_tenants_template_is_not_there_unless_a_host_reveals_it(
    house: House, revealing_app: ASGIApp, as_person: Clients
) -> None:
    wish = {"session_template_id": "tmpl_theirs"}
    hidden = await as_person("eve").post(PREFIX, json=wish)
    assert (hidden.status_code, hidden.json()["code"]) == (404, "template_not_found")
    assert (await as_person("eve", of=revealing_app).post(PREFIX, json=wish)).status_code == 403
    assert (await as_person("ada", of=revealing_app).post(PREFIX, json=wish)).status_code == 201


async def test_a_user_cannot_create_for_another_one_nor_continue_their_session(
    house: House, as_person: Clients
) -> None:
    before = await house.face()
    assert (await as_person("bob").post(PREFIX, json={"user_id": "ada"})).status_code == 404
    assert (await as_person("bob").post(PREFIX, params={"user_id": "ada"})).status_code == 404
    continued = await as_person("bob").post(PREFIX, json={"resume_session_id": house.session_id})
    assert continued.status_code == 404
    assert (await as_person("bob").get(PREFIX, params={"user_id": "ada"})).status_code == 404
    assert await house.face() == before


async def test_a_list_holds_only_what_one_may_see(house: House, as_person: Clients) -> None:
    async def ids(person: str, **params: str) -> list[str]:
        answer = await as_person(person).get(PREFIX, params=params)
        return [row["id"] for row in answer.json()["sessions"]]

    assert await ids("ada") == await ids("boss") == await ids("backend") == [house.session_id]
    assert await ids("boss", user_id="ada") == [house.session_id]
    assert await ids("boss", user_id="bob") == await ids("bob") == await ids("eve") == []
