"""The emulator goes wrong when it is told to, and runs as a program too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google.api_core import exceptions
from google.cloud.firestore import AsyncClient, Client
from tests.firestore_emulator.faults import Fault, Trouble
from tests.firestore_emulator.server import Emulator

ROOT = Path(__file__).parents[2]
RAISED = {
    Trouble.UNAVAILABLE: exceptions.ServiceUnavailable,
    Trouble.ABORTED: exceptions.Aborted,
    Trouble.RESOURCE_EXHAUSTED: exceptions.ResourceExhausted,
    Trouble.PERMISSION_DENIED: exceptions.PermissionDenied,
    Trouble.HANGS: exceptions.DeadlineExceeded,
    Trouble.CUT: exceptions.ServiceUnavailable,
    Trouble.DONE_BUT_UNAVAILABLE: exceptions.ServiceUnavailable,
    Trouble.DONE_BUT_HANGS: exceptions.DeadlineExceeded,
    Trouble.DONE_BUT_CUT: exceptions.ServiceUnavailable,
}


@pytest.mark.parametrize("trouble", RAISED)
async def test_each_trouble_is_what_it_says_and_passes(
    client: AsyncClient, running: Emulator, trouble: Trouble
) -> None:
    one = client.collection("things").document("one")
    await one.get()
    running.fail(Fault("Commit", trouble))
    with pytest.raises(RAISED[trouble]):
        await one.set({"n": 1}, retry=None, timeout=1)
    assert (await one.get()).exists == trouble.is_done  # who was cut off finds the way again
    await one.set({"n": 2}, retry=None)
    assert (await one.get(retry=None)).to_dict() == {"n": 2}
    assert running.calls.count("Commit") == 2


async def test_an_answer_that_breaks_off_has_begun(client: AsyncClient, running: Emulator) -> None:
    things = client.collection("things")
    for name in "abcd":
        await things.document(name).set({})
    running.fail(Fault("RunQuery", Trouble.BROKEN_OFF))
    seen: list[str] = []

    async def read() -> None:
        async for each in things.stream(retry=None):
            seen.append(each.id)  # noqa: PERF401  # a comprehension would lose them

    with pytest.raises(exceptions.ServiceUnavailable):
        await read()
    assert seen == ["a", "b"]


async def test_an_answer_that_is_cut_short_looks_whole(
    client: AsyncClient, running: Emulator
) -> None:
    things = client.collection("things")
    for name in "abcd":
        await things.document(name).set({})
    running.fail(Fault("RunQuery", Trouble.CUT_SHORT))
    assert [each.id async for each in things.stream(retry=None)] == ["a", "b"]


async def test_documents_outlive_a_restart(client: AsyncClient, running: Emulator) -> None:
    one = client.collection("things").document("one")
    await one.set({"n": 1})
    await running.restart()
    assert (await one.get()).to_dict() == {"n": 1}


def test_it_runs_as_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.firestore_emulator"],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "GRPC_VERBOSITY": "NONE"},
    )  # fmt: skip
    try:
        assert program.stdout is not None
        name, _, host = program.stdout.readline().strip().partition("=")
        monkeypatch.setenv(name, host)
        client = Client(project="test")
        client.collection("things").document("one").set({"n": 1})
        assert client.collection("things").document("one").get().to_dict() == {"n": 1}
        client._firestore_api.transport.close()
    finally:
        program.kill()
        program.wait()
        assert program.stdout is not None
        program.stdout.close()
