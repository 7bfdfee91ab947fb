"""How a Firestore driver is opened and closed, and how documents stand there."""

import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio
import pytest
from google.cloud.firestore import AsyncClient
from hypothesis import given, strategies as st
from tests.firestore_emulator.faults import Fault, Trouble
from tests.firestore_emulator.server import Emulator, emulator

from voicesession.core.errors import InvalidValue, StoreError, WrongEventLoop
from voicesession.core.instants import from_us
from voicesession.ports.documents import ABSENT, DocumentKey, Index, Put
from voicesession.stores.documents import INDEXES, firestore
from voicesession.stores.documents.firestore import FirestoreDocumentDriver, index_definitions
from voicesession.stores.documents.firestore.filing import Filing, sorting_fields
from voicesession.stores.documents.firestore.library import message_in
from voicesession.stores.documents.firestore.server_time import ServerTime

ROOT = Path(__file__).parents[2]
ONE = DocumentKey("things", "one")
DATABASE = "projects/test/databases/(default)"
SERVER_TIME = "voicesession.stores.documents.firestore.server_time"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Emulator]:
    async with emulator() as running:
        monkeypatch.setenv("FIRESTORE_EMULATOR_HOST", running.host)
        yield running


# --- opening and closing --------------------------------------------------------------------


async def test_what_was_written_is_there_when_it_is_opened_again(running: Emulator) -> None:
    driver = FirestoreDocumentDriver("test")
    for number in range(3):
        async with driver:
            (document,) = await driver.get([ONE])
            assert (document.body["n"] if document else 0) == number
            await driver.write([Put(ONE, {"n": number + 1})])


async def test_no_work_is_no_call(running: Emulator) -> None:
    async with FirestoreDocumentDriver("test") as driver:
        assert list(await driver.get([])) == []
        await driver.write([])
        assert list(await driver.write_each([])) == []
    assert running.calls == []


async def test_what_is_not_open_says_so_and_twice_is_refused(running: Emulator) -> None:
    driver = FirestoreDocumentDriver("test")
    for _ in range(2):
        with pytest.raises(StoreError, match="async with"):
            await driver.get([ONE])
        async with driver:
            with pytest.raises(StoreError, match="already"):
                await driver.__aenter__()
            await driver.get([ONE])


async def test_a_host_may_pass_its_own_client_and_closes_it_itself(running: Emulator) -> None:
    client = AsyncClient(project="hosts", database="its-own")
    for number in range(2):
        async with FirestoreDocumentDriver(client=client, prefix="call_") as driver:
            await driver.write([Put(ONE, {"n": number})])
    things = client.collection("call_things")
    assert [each.id async for each in things.stream()] == ["=one"]
    assert running.database("projects/hosts/databases/its-own").documents
    await client._firestore_api.transport.close()


async def test_databases_and_prefixes_are_worlds_of_their_own(running: Emulator) -> None:
    for driver in (
        FirestoreDocumentDriver("test"),
        FirestoreDocumentDriver("other"),
        FirestoreDocumentDriver("test", "second"),
        FirestoreDocumentDriver("test", prefix="other_"),
        FirestoreDocumentDriver("test", prefix=""),
    ):
        async with driver:
            await driver.write([Put(ONE, {}, ABSENT)])


@pytest.mark.parametrize(
    "wrong",
    [
        *({"prefix": each} for each in ("1", "a/b", "A", "__", "a" * 65, "a.")),
        *({"project": each} for each in ("", "a/b", "a b", "ü")),
        *({"database": each} for each in ("", "a/b", "default)", "A")),
        *({"answers_within": timedelta(seconds=each)} for each in (0, -1)),
    ],
)
def test_arguments_that_make_no_sense_are_refused_before_anything_is_opened(
    wrong: dict[str, Any],
) -> None:
    with pytest.raises(InvalidValue, match=next(iter(wrong))):
        FirestoreDocumentDriver(**wrong)


async def test_a_project_beside_a_client_is_refused(running: Emulator) -> None:
    with pytest.raises(InvalidValue, match="the client has its own"):
        FirestoreDocumentDriver("test", client=AsyncClient(project="test"))


def test_another_event_loop_is_refused_at_first_use() -> None:
    async def use() -> None:
        with pytest.raises(WrongEventLoop, match="asyncio"):
            await FirestoreDocumentDriver("test").__aenter__()

    anyio.run(use, backend="trio")


@pytest.mark.parametrize(
    "credentials",
    [
        "s3cret",
        json.dumps({"type": "service_account", "private_key": "s3cret", "client_email": "x@y"}),
        json.dumps({"type": "authorized_user", "refresh_token": "s3cret"}),
    ],
)
async def test_credentials_that_do_not_work_are_an_error_that_keeps_them_secret(
    credentials: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(credentials)
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    with pytest.raises(StoreError, match="credentials") as caught:
        await FirestoreDocumentDriver("test").__aenter__()
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cret" not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__


async def test_an_environment_without_a_project_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIRESTORE_EMULATOR_HOST", raising=False)
    path = tmp_path / "credentials.json"
    user = {"type": "authorized_user"} | dict.fromkeys(
        ("refresh_token", "client_id", "client_secret"), "x"
    )
    path.write_text(json.dumps(user))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    monkeypatch.setenv("PATH", "")  # or a command of Google's on this machine might name one
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(StoreError, match="project"):
        await FirestoreDocumentDriver().__aenter__()


@pytest.mark.parametrize("missing", ["google.api_core", "google.cloud.firestore"])
def test_without_the_extra_the_import_names_it(missing: str) -> None:
    program = f"import sys; sys.modules[{missing!r}] = None; import {firestore.__name__}"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    last_line = ran.stderr.splitlines()[-1]
    assert last_line.startswith("ModuleNotFoundError")
    assert 'pip install "voicesession[firestore]"' in last_line


# --- indexes --------------------------------------------------------------------------------


def test_the_file_that_people_deploy_holds_the_indexes_of_the_stores() -> None:
    deployed = files(firestore).joinpath("firestore.indexes.json").read_text()
    assert deployed == index_definitions(INDEXES), "print it anew, as the how-to shows"


def test_an_index_is_deployed_for_each_direction_unless_firestore_has_it_by_itself() -> None:
    def composites(*indexes: Index) -> list[list[tuple[str, str]]]:
        definitions = json.loads(index_definitions(indexes, prefix="my_"))
        assert {each["collectionGroup"] for each in definitions["indexes"]} <= {"my_things"}
        return [
            [(field["fieldPath"], field["order"][:3]) for field in each["fields"]]
            for each in definitions["indexes"]
        ]

    assert composites(Index("things", (), ("size",))) == []
    assert composites(Index("things", ("colour",), ("size",))) == [
        [("colour", "ASC"), ("size", "ASC")],
        [("colour", "ASC"), ("size", "DES")],
    ]
    assert composites(Index("things", (), ("name", "size"))) == [
        [("name", "ASC"), ("size", "ASC")],
        [("name", "DES"), ("size", "DES")],
    ]
    assert composites(Index("things", ("colour", "round"))) == [
        [("colour", "ASC"), ("round", "ASC"), ("__name__", "DES")]
    ]


def test_what_nobody_asks_for_is_not_indexed() -> None:
    definitions = json.loads(index_definitions([Index("things", (), ("size",))]))
    assert definitions["fieldOverrides"] == [
        {"collectionGroup": "voice_things", "fieldPath": name, "indexes": []}
        for name in ("_stamp", "_absent")
    ]


def test_no_field_is_fixed_by_one_index_and_sorted_by_in_another() -> None:
    driver = FirestoreDocumentDriver("test")
    driver.declare([Index("things", (), ("size",)), Index("elsewhere", ("size",))])
    with pytest.raises(InvalidValue, match=r"things\.size"):
        driver.declare([Index("things", ("size",))])


# --- how documents stand there --------------------------------------------------------------

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = (
    TEXTS
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.booleans()
    | st.none()
)
FILING = Filing(
    database=DATABASE,
    prefix="p_",
    sorted_by=sorting_fields([Index("things", (), ("a", "b", "c"))]),
)


@given(body=st.dictionaries(NAMES | st.sampled_from("abc"), VALUES, max_size=8))
def test_every_body_comes_back_as_it_was(body: dict[str, Any]) -> None:
    document = message_in(FILING.message(Put(ONE, body), b"stamp")).update
    kept = FILING.stored(document, "things")
    assert kept.key == ONE
    assert kept.body == body
    kinds = {name: type(value) for name, value in kept.body.items()}
    assert kinds == {name: type(value) for name, value in body.items()}
    assert all(
        document.fields[name].WhichOneof("value_type") != "null_value"
        for name in {"a", "b", "c"} & set(document.fields)
    )


@given(st.lists(TEXTS, min_size=2))
def test_ids_sort_in_firestore_as_their_utf8(ids: list[str]) -> None:
    names = [FILING.name(DocumentKey("things", each)) for each in sorted(ids)]
    assert sorted(names, key=str.encode) == names


# --- time -----------------------------------------------------------------------------------


async def test_the_time_is_asked_for_once_and_then_learned_by_the_way(running: Emulator) -> None:
    async with FirestoreDocumentDriver("test") as driver:
        await driver.now()
        assert running.calls == ["BatchGetDocuments"]
        await driver.write([Put(ONE, {})])
        times = [await driver.now() for _ in range(50)]
        assert running.calls == ["BatchGetDocuments", "Commit"]
    assert times == sorted(times)
    (kept,) = running.database(DATABASE).documents.values()
    assert abs(times[0] - from_us(kept.updated_us)) < timedelta(seconds=5)


async def test_without_an_answer_there_is_no_time(running: Emulator) -> None:
    async with FirestoreDocumentDriver("test") as driver:
        running.fail(Fault("BatchGetDocuments", Trouble.PERMISSION_DENIED))
        with pytest.raises(StoreError):
            await driver.now()


@given(steps=st.lists(st.tuples(st.integers(0, 12_000_000), st.integers(-1_000, 1_000))))
def test_the_time_never_runs_backwards_and_is_known_for_ten_seconds(
    steps: list[tuple[int, int]],
) -> None:
    passed_us, told_us, shown = 0, 10**15, [datetime.min.replace(tzinfo=UTC)]
    time = ServerTime()
    assert not time.is_known
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{SERVER_TIME}._passed_us", lambda: passed_us)
        for wait_us, drift_us in steps:
            stamp = message_in(FILING.message(Put(ONE, {}), b"")).update.update_time
            stamp.FromMicroseconds(told_us + passed_us + drift_us)
            time.note(stamp)
            shown.append(time.now())
            passed_us += wait_us
            assert time.is_known == (wait_us < 10_000_000)
            shown.append(time.now())
    assert shown == sorted(shown)
