"""
Rule-based machines: any sequence of operations keeps the invariants.

Use them as they are (``TestX = TranscriptMachine.TestCase``), or subclass them with the
rules of your own adapter.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ..core.accounts import Account, HoldId, Limit, windows_of
from ..core.books import Books
from ..core.budget import (
    Posting,
    charge,
    expire,
    release,
    reserve,
    set_limit,
    set_zone,
    settle,
    settle_session,
    standings,
)
from ..core.errors import InvalidValue
from ..core.meters import Meter
from ..core.transcript import Transcript, discard, finalise, revise
from ..core.utterance import Utterance, UtteranceId
from ..core.windows import Window
from .strategies import BUDGET_START, accounts, limits, utterances, zones

__all__ = ("BudgetMachine", "TranscriptMachine")

_IDS = st.sampled_from([UtteranceId(f"utt_{number}") for number in range(5)])


class TranscriptMachine(RuleBasedStateMachine):
    """Words in = words out, however often and in whatever order they are delivered."""

    def __init__(self) -> None:
        super().__init__()
        self.transcript = Transcript()
        self.finals: dict[UtteranceId, Utterance] = {}
        self.interims: dict[UtteranceId, Utterance] = {}

    @rule(interim=utterances(ids=_IDS))
    def an_interim_comes(self, interim: Utterance) -> None:
        self.transcript = revise(self.transcript, interim)
        if interim.id not in self.finals:
            self.interims[interim.id] = interim

    @rule(final=utterances(ids=_IDS))
    def a_final_comes_once_or_again(self, final: Utterance) -> None:
        final = self.finals.setdefault(final.id, final)
        self.transcript = finalise(self.transcript, final)
        self.interims.pop(final.id, None)

    @precondition(lambda self: self.finals)
    @rule(data=st.data())
    def another_final_comes_with_a_known_id(self, data: st.DataObject) -> None:
        known = self.finals[data.draw(st.sampled_from(sorted(self.finals)))]
        other = evolve(known, text=known.text + " or not")
        try:
            finalise(self.transcript, other)
        except InvalidValue:
            return
        raise AssertionError(f"a second final for {known.id} was taken")

    @rule(utterance_id=_IDS)
    def an_utterance_comes_to_nothing(self, utterance_id: UtteranceId) -> None:
        self.transcript = discard(self.transcript, utterance_id)
        self.interims.pop(utterance_id, None)

    @invariant()
    def words_in_are_words_out(self) -> None:
        words_in = Counter(word for final in self.finals.values() for word in final.text.split())
        assert Counter(self.transcript.text.split()) == words_in
        assert self.transcript.word_count == words_in.total()

    @invariant()
    def it_holds_the_finals_and_the_open_interims(self) -> None:
        assert {final.id: final for final in self.transcript.utterances} == self.finals
        assert {one.id: one for one in self.transcript.interims} == self.interims

    @invariant()
    def media_time_does_not_run_backwards(self) -> None:
        starts = [utterance.start_us for utterance in self.transcript.utterances]
        assert starts == sorted(starts)


_Row = tuple[Account, Meter, Window, str]
_METERS = st.sampled_from([Meter.AUDIO_US, Meter.LLM_INPUT_TOKENS])


class BudgetMachine(RuleBasedStateMachine):
    """The books agree with a naive model, and audio that is reserved passes no limit.

    The model keeps a list of what was booked in each row and a list of open holds, and
    sums them up each time. It knows the date by asking the zone for it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.books = Books()
        self.now = BUDGET_START
        self.zones: dict[Account, ZoneInfo] = {}
        self.limits: dict[tuple[Account, Meter, Window], Limit] = {}
        self.spent: dict[_Row, list[int]] = {}
        self.held: dict[HoldId, tuple[set[_Row], int, datetime]] = {}
        self.overdrawn: Counter[_Row] = Counter()
        self.made = 0

    @rule(later=st.timedeltas(timedelta(), timedelta(days=2)))
    def time_passes(self, later: timedelta) -> None:
        self.now += later

    @rule(limit=limits())
    def a_limit_is_set(self, limit: Limit) -> None:
        self.books = set_limit(self.books, limit, at=self.now).books
        self.limits[limit.account, limit.meter, limit.window] = limit
        self._forgive_what_is_over()

    @rule(account=accounts(), zone=zones())
    def an_account_moves(self, account: Account, zone: ZoneInfo) -> None:
        self.books = set_zone(self.books, account, zone)
        self.zones[account] = zone

    @rule(
        some=st.lists(accounts(), min_size=1, max_size=3),
        meter=_METERS,
        amount=st.integers(1, 400),
        seconds=st.integers(0, 7_200),
    )
    def something_is_reserved(
        self, some: list[Account], meter: Meter, amount: int, seconds: int
    ) -> None:
        rows = self._rows(some, meter)
        self.made += 1
        hold_id = HoldId(f"hold_{self.made}")
        until = self.now + timedelta(seconds=seconds)
        asked = reserve(
            self.books, some, meter, amount, hold_id=hold_id, at=self.now, expires_at=until
        )
        left = [self._left(row) for row in rows]
        assert asked.granted == max(0, min([amount, *(one for one in left if one is not None)]))
        self.books = asked.books
        if asked.granted:
            self.held[hold_id] = (rows, asked.granted, until)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), share=st.fractions(0, 1))
    def a_hold_is_settled(self, data: st.DataObject, share: Fraction) -> None:
        hold_id = data.draw(st.sampled_from(sorted(self.held)))
        rows, amount, _until = self.held.pop(hold_id)
        used = int(amount * share)
        self._posted(settle(self.books, hold_id, used, at=self.now))
        for row in rows:
            self.spent.setdefault(row, []).append(used)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def a_hold_is_released(self, data: st.DataObject) -> None:
        hold_id = data.draw(st.sampled_from(sorted(self.held)))
        del self.held[hold_id]
        self.books = release(self.books, hold_id)

    @rule(session=accounts(), used=st.integers(0, 600))
    def a_session_is_swept(self, session: Account, used: int) -> None:
        self.books = settle_session(self.books, session, audio_used_us=used)
        own = (session, Meter.AUDIO_US, Window.SESSION, "")
        unbooked = max(0, used - sum(self.spent.get(own, [])))
        parts = [i for i, (rows, *_) in self.held.items() if session in {r[0] for r in rows}]
        for hold_id in sorted(parts):
            rows, amount, _until = self.held.pop(hold_id)
            booked = min(amount, unbooked) if Meter.AUDIO_US in {r[1] for r in rows} else 0
            unbooked -= booked
            for row in rows:
                self.spent.setdefault(row, []).append(booked)

    @rule()
    def holds_expire(self) -> None:
        self.books = expire(self.books, self.now)
        self._drop([i for i, (_rows, _amount, until) in self.held.items() if until <= self.now])

    @rule(some=st.lists(accounts(), max_size=3), used=st.integers(0, 400))
    def something_is_charged(self, some: list[Account], used: int) -> None:
        meter = Meter.LLM_INPUT_TOKENS
        self._posted(charge(self.books, some, meter, used, at=self.now))
        for row in self._rows(some, meter) if used else ():
            self.spent.setdefault(row, []).append(used)

    @invariant()
    def the_books_say_what_was_booked(self) -> None:
        known = {
            (line.account, line.meter, line.window, line.period) for line in self.books.balances
        }
        assert known >= set(self.spent)
        for line, balance in self.books.balances.items():
            row = (line.account, line.meter, line.window, line.period)
            assert balance.spent == sum(self.spent.get(row, []))
            assert balance.held == self._held(row)

    @invariant()
    def audio_spent_and_held_never_exceeds_its_limit(self) -> None:
        for line, balance in self.books.balances.items():
            limit = self.limits.get((line.account, line.meter, line.window))
            if limit is not None and line.meter is Meter.AUDIO_US:
                row = (line.account, line.meter, line.window, line.period)
                assert balance.spent + balance.held <= max(limit.amount, self.overdrawn[row])

    def _posted(self, posting: Posting) -> None:
        before = self._levels(self.books)
        after = self._levels(posting.books)
        risen = {standing.line: standing.level for standing in posting.risen}
        assert risen == {line: now for line, now in after.items() if now != before[line]}
        self.books = posting.books

    def _levels(self, books: Books) -> dict[object, str]:
        return {
            standing.line: standing.level
            for account, meter, _window in self.limits
            for standing in standings(books, [account], meter, self.now)
        }

    def _forgive_what_is_over(self) -> None:
        # A limit may be set below what is spent. From then on it can only get less.
        for line, balance in self.books.balances.items():
            row = (line.account, line.meter, line.window, line.period)
            self.overdrawn[row] = balance.spent + balance.held

    def _rows(self, some: list[Account], meter: Meter) -> set[_Row]:
        formats = {Window.SESSION: "", Window.DAY: "%Y-%m-%d", Window.MONTH: "%Y-%m"}
        return {
            (account, meter, window, self._local(account).strftime(formats[window]))
            for account in some
            for window in windows_of(account, meter)
        }

    def _local(self, account: Account) -> datetime:
        return self.now.astimezone(self.zones.get(account))

    def _left(self, row: _Row) -> int | None:
        limit = self.limits.get(row[:3])
        return (
            None if limit is None else limit.amount - sum(self.spent.get(row, [])) - self._held(row)
        )

    def _held(self, row: _Row) -> int:
        return sum(amount for rows, amount, _until in self.held.values() if row in rows)

    def _drop(self, hold_ids: list[HoldId]) -> None:
        for hold_id in hold_ids:
            del self.held[hold_id]
