"""API keys: who is known by them, and what is kept."""

from pathlib import Path

import pytest

from voicesession import InvalidConfig, InvalidValue
from voicesession.web.auth.api_keys import KEY_BYTES, ApiKey, ApiKeys, new_key
from voicesession.web.principal import Credentials, Principal, Unauthenticated

KEY = new_key(bytes(range(KEY_BYTES)))
ADA = Principal(tenant_id="acme", user_id="ada", scopes={"read"})


def shown(**headers: str) -> Credentials:
    return Credentials(headers=headers)


@pytest.mark.parametrize("headers", [{"x-api-key": KEY}, {"authorization": f"Bearer {KEY}"}])
async def test_a_key_names_its_owner_in_either_header(headers: dict[str, str]) -> None:
    keys = ApiKeys(
        [ApiKey.of("another", name="b", principal=ADA), ApiKey.of(KEY, name="a", principal=ADA)]
    )
    assert await keys.authenticate(shown(**headers)) == ADA


@pytest.mark.parametrize("key", ["", KEY[:-1], KEY + "x", KEY.lower(), "\udcff", "ключ"])
async def test_no_other_key_does(key: str) -> None:
    keys = ApiKeys([ApiKey.of(KEY, name="a", principal=ADA)])
    with pytest.raises(Unauthenticated):
        await keys.authenticate(Credentials(headers={"x-api-key": key}))


async def test_where_there_are_no_keys_nobody_is_known() -> None:
    with pytest.raises(Unauthenticated):
        await ApiKeys([]).authenticate(shown(**{"x-api-key": KEY}))


def test_neither_the_key_nor_its_hash_is_shown() -> None:
    kept = ApiKey.of(KEY, name="a", principal=ADA)
    assert KEY not in repr(kept)
    assert kept.hash not in repr(kept)
    assert KEY not in repr(shown(**{"x-api-key": KEY}))


def test_a_key_takes_all_of_its_randomness() -> None:
    assert len(KEY) == len("vs_") + 43
    with pytest.raises(InvalidValue):
        new_key(b"short")


async def test_keys_are_read_from_a_file(tmp_path: Path) -> None:
    kept = ApiKey.of(KEY, name="backend", principal=ADA)
    file = tmp_path / "keys.toml"
    file.write_text(
        f'[[keys]]\nname = "backend"\nhash = "sha256:{kept.hash}"\nnamespace_id = "acme"\n'
        'scopes = ["read:all", "write"]\n'
    )
    known = await ApiKeys.load(file).authenticate(shown(**{"x-api-key": KEY}))
    assert known == Principal(tenant_id="acme", scopes={"read:all", "write"})


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        "keys = 5",
        "[other]",
        '[[keys]]\nname = "a"\nhash = "short"\nscopes = []',
        '[[keys]]\nname = "a"\nscopes = []',
        f'[[keys]]\nname = "a"\nhash = "{"0" * 64}"\nscopes = ["fly"]',
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys.toml"
    file.write_text(content)
    with pytest.raises(InvalidConfig, match=r"api_keys|hash"):
        ApiKeys.load(file)
    with pytest.raises(InvalidConfig):
        ApiKeys.load(tmp_path / "missing.toml")
