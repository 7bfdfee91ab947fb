"""When a voice is on: see VoiceActivity."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from voicesession.core.floor.config import VoiceActivityConfig
from voicesession.core.floor.effects import SpeechEnded, SpeechStarted
from voicesession.core.floor.voice_activity import VoiceActivity, VoiceState

W = 10_000


def after(*stretches: tuple[float, float], **settings: Any) -> VoiceActivity:
    """A fresh activity that has heard each probability for so many seconds."""
    activity, at_us = VoiceActivity(VoiceActivityConfig(**settings)), 0
    for seconds, probability in stretches:
        for _ in range(round(seconds * 1_000_000 / W)):
            activity.step(at_us, at_us + W, probability)
            at_us += W
    return activity


def test_speech_begins_only_once_it_has_lasted() -> None:
    assert after((1, 0.1), (0.04, 0.5)).state is VoiceState.STARTING
    begun = after((1, 0.1), (0.05, 0.5))
    assert (begun.state, begun.is_on, begun.started_us) == (VoiceState.SPEAKING, True, 1_000_000)


def test_a_click_is_no_speech() -> None:
    assert after((0.04, 0.9), (0.01, 0.45), (0.04, 0.9)).state is VoiceState.STARTING


def test_speech_ends_only_once_silence_has_lasted() -> None:
    assert after((1, 0.9), (0.54, 0.1)).state is VoiceState.STOPPING
    ended = after((1, 0.9), (0.55, 0.1))
    assert (ended.state, ended.is_on, ended.stopped_us) == (VoiceState.QUIET, False, 1_000_000)


def test_a_breath_does_not_end_speech() -> None:
    assert after((1, 0.9), (0.5, 0.1), (0.01, 0.35), (0.5, 0.1)).state is VoiceState.STOPPING


def test_what_lies_between_the_thresholds_changes_nothing() -> None:
    assert after((5, 0.49)).state is VoiceState.QUIET
    assert after((1, 0.9), (5, 0.35)).state is VoiceState.SPEAKING


def test_silence_ends_speech_at_once() -> None:
    activity = after((1, 0.9))
    activity.silence(1_000_000)
    assert (activity.state, activity.stopped_us) == (VoiceState.QUIET, 1_000_000)
    stopping = after((1, 0.9), (0.2, 0.1))
    stopping.silence(1_200_000)
    assert stopping.stopped_us == 1_000_000


def test_noise_is_no_voice_until_there_was_silence() -> None:
    activity = after((2, 0.9))
    activity.dismiss(1_000_000)
    assert (activity.state, activity.is_on, activity.stopped_us) == (
        VoiceState.NOISE,
        False,
        1_000_000,
    )
    for probability in (0.9, 0.5, 0.35):
        activity.step(2_000_000, 3_000_000, probability)
        assert activity.state is VoiceState.NOISE
    activity.step(3_000_000, 3_010_000, 0.34)
    activity.step(3_010_000, 3_060_000, 0.9)
    assert (activity.is_on, activity.started_us) == (True, 3_010_000)


def test_noise_may_be_a_voice_again_for_who_listens() -> None:
    activity = after((2, 0.9))
    activity.attend()
    assert activity.is_on
    activity.dismiss(1_000_000)
    activity.attend()
    activity.step(2_000_000, 2_050_000, 0.9)
    assert (activity.is_on, activity.started_us) == (True, 2_000_000)


def test_how_long_speech_lasted_counts_from_a_later_moment_too() -> None:
    activity = after((1, 0.1), (1, 0.9), (0.2, 0.1))
    assert activity.voiced_us(0, 2_200_000) == 1_000_000
    assert activity.voiced_us(1_400_000, 2_200_000) == 600_000
    assert activity.voiced_us(2_100_000, 2_200_000) == 0
    assert after((1, 0.9)).voiced_us(0, 1_300_000) == 1_300_000


@given(st.lists(st.floats(0, 1), max_size=300))
def test_windows_without_news_may_be_left_out(probabilities: list[float]) -> None:
    """The hot path of Conversation rests on this."""
    noisy = bool(probabilities) and probabilities[0] >= 0.5
    whole = VoiceActivity(VoiceActivityConfig())
    skipping = VoiceActivity(VoiceActivityConfig())
    for number, probability in enumerate(probabilities):
        start_us, end_us = number * W, (number + 1) * W
        whole.step(start_us, end_us, probability)
        below, from_on = skipping.no_news(start_us)
        silent = skipping.silent_from_us is not None and end_us >= skipping.silent_from_us
        if below <= probability < from_on or silent:
            skipping.step(start_us, end_us, probability)
        assert (skipping.state, skipping.is_on) == (whole.state, whole.is_on)
        assert (skipping.started_us, skipping.stopped_us) == (whole.started_us, whole.stopped_us)
        if noisy and whole.is_on and number % 7 == 0:
            whole.dismiss(end_us)
            skipping.dismiss(end_us)


def test_speech_starts_the_padding_before_its_first_window(begin: Any) -> None:
    talk = begin()
    talk.quiet(2)
    talk.loud(0.1)
    assert talk.last(SpeechStarted).at_us == 1_500_000


def test_padding_reaches_neither_before_the_start_nor_into_the_speech_before(begin: Any) -> None:
    talk = begin()
    talk.quiet(0.2)
    talk.loud(1)
    talk.quiet(0.55)
    talk.loud(0.1)
    first, second = talk.all(SpeechStarted)
    assert first.at_us == 0
    assert second.at_us == 1_250_000
    assert talk.last(SpeechEnded).at_us == 1_200_000
