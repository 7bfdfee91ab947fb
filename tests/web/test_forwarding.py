"""Where a call comes from, and whom we believe about it."""

import pytest
from hypothesis import given, strategies as st

from voicesession import InvalidConfig
from voicesession.web.forwarding import networks, origin_of
from voicesession.web.options import WebOptions

PROXY = "10.0.0.2"
TOLD = {
    "host": "inside:8000",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "voice.example",
    "x-forwarded-for": "6.6.6.6, 203.0.113.9, 10.0.0.3",
}


def seen(headers: dict[str, str], peer: str | None, *trusted: str) -> tuple[str, str | None]:
    origin = origin_of(
        headers, peer=peer, scheme="http", root="", trusted=networks(trusted), port=8000
    )
    return origin.websocket_url, origin.client_host


def test_a_trusted_proxy_says_who_called_and_what_they_called_us() -> None:
    assert seen(TOLD, PROXY, "10.0.0.0/8") == ("wss://voice.example", "203.0.113.9")


@pytest.mark.parametrize("peer", ["203.0.113.9", None, "unix"])
def test_nobody_else_is_believed(peer: str | None) -> None:
    assert seen(TOLD, peer, "10.0.0.0/8") == ("ws://inside:8000", peer)
    assert seen(TOLD, PROXY) == ("ws://inside:8000", PROXY)


def test_of_several_proxies_the_nearest_counts() -> None:
    told = TOLD | {"x-forwarded-proto": "http, https", "x-forwarded-host": "a.example, b.example"}
    assert seen(told, PROXY, "10.0.0.0/8")[0] == "wss://b.example"


@given(host=st.text(max_size=40))
def test_a_host_that_is_none_never_gets_into_a_url(host: str) -> None:
    url, _ = seen({"host": host}, "127.0.0.1")
    assert url in {f"ws://{host}", "ws://localhost:8000"}
    assert not set(url.removeprefix("ws://")) & set('/?#@\\ \r\n"<>')


@given(chain=st.text(alphabet="0123456789.:, abc", max_size=60))
def test_a_caller_is_an_address_or_nobody_says_who(chain: str) -> None:
    _, client = seen({"x-forwarded-for": chain}, PROXY, "10.0.0.0/8")
    assert client == PROXY or (client is not None and client in chain)


def test_what_is_no_network_is_refused_at_once() -> None:
    with pytest.raises(InvalidConfig, match="trusted_proxies"):
        WebOptions(trusted_proxies=("everybody",))
