from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from voicesession.core.errors import InvalidValue
from voicesession.core.results import ROOTS, SessionFolder, session_folders

IDS = st.from_regex(r"[A-Za-z0-9_.:-]{1,128}", fullmatch=True).filter(lambda name: name.strip("."))


def test_a_folder_is_the_sessions_own_or_also_its_tenants() -> None:
    assert str(SessionFolder("s1")) == "sessions/s1/"
    assert str(SessionFolder("s1", "acme")) == "tenants/acme/sessions/s1/"
    assert session_folders("s1", "acme") == (SessionFolder("s1", "acme"), SessionFolder("s1"))


@given(IDS, st.none() | IDS, st.sampled_from(["audio.wav", "segments/user/x.s16"]))
def test_a_key_says_in_whose_folder_it_lies(
    session_id: str, tenant_id: str | None, name: str
) -> None:
    folder = SessionFolder(session_id, tenant_id)
    assert SessionFolder.of(f"{folder}{name}") == (folder, name)
    assert str(folder).startswith(ROOTS)


@given(IDS, IDS, st.none() | IDS, st.none() | IDS)
def test_no_folder_lies_in_another(
    one: str, other: str, whose: str | None, whose_other: str | None
) -> None:
    folders = SessionFolder(one, whose), SessionFolder(other, whose_other)
    is_same = folders[0] == folders[1]
    assert str(folders[0]).startswith(str(folders[1])) == is_same


@pytest.mark.parametrize(
    "key", ["sessions/s1", "sessions/s1/", "tenants/acme/s1/x", "x/sessions/s1/x", "tenants/a/b/c"]
)
def test_what_lies_elsewhere_is_in_no_sessions_folder(key: str) -> None:
    assert SessionFolder.of(key) is None


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "a b", "x" * 129])
def test_what_would_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(InvalidValue, match="session_id"):
        SessionFolder(name)
    with pytest.raises(InvalidValue, match="tenant_id"):
        SessionFolder("s1", name)
