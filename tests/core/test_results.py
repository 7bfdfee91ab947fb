from __future__ import annotations

from voicesession.core.results import SESSIONS, session_folder


def test_each_session_has_a_folder_of_its_own() -> None:
    assert session_folder("s1") == "sessions/s1/"
    assert not session_folder("s10").startswith(session_folder("s1"))
    assert session_folder("s1").startswith(SESSIONS)
