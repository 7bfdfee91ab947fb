"""``voicesession budget``, as people call it."""

from pathlib import Path

import anyio
import pytest
from tests.cli.stage import Command

import voicesession

STORE = "sqlite:///voice.db"


@pytest.fixture
def store(command: Command) -> Path:
    """An empty store in the present folder."""

    async def make() -> None:
        async with voicesession.open(STORE) as voice:
            await voice.budgets.track_usage("ada", audio_minutes="4.5")

    anyio.run(make)
    return Path("voice.db")


def test_a_limit_is_set_shown_and_raised(command: Command, store: Path) -> None:
    armed = command("budget", "set", "user", "ada", "--amount", "5", "--store", STORE)
    assert armed.stdout.splitlines() == [
        "audio_minutes      day      4 min 30 s used, 0 s reserved, of 5 min  90%",
        "audio_minutes      month    4 min 30 s used, 0 s reserved, no limit",
    ]
    raised = command("budget", "raise", "user", "ada", "--by", "4", "--store", STORE, "--json")
    day, month = raised.document["standings"]
    assert (day["limit"], day["remaining"], day["level"]) == (9.0, 4.5, "ok")
    assert (month["limit"], month["utilization"]) == (None, None)
    shown = command("budget", "show", "user", "ada", "--store", STORE)
    assert "of 9 min  50%" in shown.stdout


def test_other_meters_are_counted_in_whole_units(command: Command, store: Path) -> None:
    options = ("--meter", "video_tokens", "--window", "month", "--store", STORE)
    command("budget", "set", "tenant", "--amount", "1000", *options)
    shown = command("budget", "show", "tenant", "--store", STORE)
    assert "video_tokens       month    0 used, 0 reserved, of 1000  0%" in shown.stdout
    ran = command("budget", "set", "tenant", "--amount", "1.5", *options)
    assert (ran.code, ran.complaint) == (
        2,
        "voicesession: 1.5: video_tokens is counted in whole units",
    )


def test_money_is_limited_and_shown_in_its_currency(command: Command, store: Path) -> None:
    options = ("--meter", "money_usd", "--store", STORE)
    command("budget", "set", "user", "ada", "--amount", "12.50", "--warn-at", "1/2", *options)
    command("budget", "raise", "user", "ada", "--by", "0.25", *options)
    shown = command("budget", "show", "user", "ada", "--store", STORE)
    assert (
        "money_usd          day      0.00 USD used, 0.00 USD reserved, of 12.75 USD  0%"
        in shown.stdout
    )
    ran = command("budget", "set", "user", "ada", "--amount", "-1", *options)
    assert (ran.code, "amount" in ran.complaint) == (2, True)


def test_an_account_without_anything_says_so(command: Command, store: Path) -> None:
    shown = command("budget", "show", "session", "sess_9", "--store", STORE)
    assert shown.stdout == "nothing used, no limits\n"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("set", "city", "x", "--amount", "1"), "city"),
        (("set", "user", "--amount", "1"), "account_id"),
        (("set", "user", "ada", "--amount", "-1"), "audio_minutes"),
        (("set", "user", "ada", "--amount", "much"), "audio_minutes"),
        (("set", "user", "ada", "--amount", "1", "--window", "week"), "week"),
        (("set", "user", "ada", "--amount", "1", "--meter", "fuel"), "fuel"),
        (("set", "user", "ada", "--amount", "lots", "--meter", "money_usd"), "money_usd"),
        (("set", "user", "ada", "--amount", "1", "--meter", "money_xau"), "money_xau"),
        (("set", "user", "ada", "--amount", "1", "--warn-at", "80"), "warn_at"),
        (("raise", "user", "bob", "--by", "1"), "limit"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    command: Command, store: Path, arguments: tuple[str, ...], word: str
) -> None:
    ran = command("budget", *arguments, "--store", STORE)
    assert ran.code == 2
    assert word in ran.complaint
