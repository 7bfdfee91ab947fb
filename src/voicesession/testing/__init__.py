"""
Help for hosts and for those who implement a port. Needs the extra ``testing``.

* A session to test with: `fake_session` (active, failing, slow), or `Stage`, a worker with
  everything in memory, and the callers that a test brings. `pytest_plugin` has fixtures of both.
* Its engines: `ScriptedSpeechToText`, `ScriptedTextToSpeech`, `ScriptedVoiceActivityDetector`
  and `CallbackAgent` hear and say what a test wants, in the words of a `Lexicon`. `Faults`
  break them: `FaultySpeechToText`, `FaultyTextToSpeech`, `FaultyAgent`; `SlowAgent` is slow.
* Its caller: a `Phone`, in the time of a `SteppedClock`; a whole dialogue as text, as a
  `ScriptedConversation`; or audio over a `loopback`, which `carry` joins to a session.
* ``contracts``: the suites that make a class an adapter, one for each port: `StorageContract`,
  `DocumentDriverContract`, `ObjectStoreContract`, `RecorderContract`, `TransportContract`,
  `SpeechToTextContract` and the others. Subclass one and give it a fixture.
* ``strategies…`` and ``machine…``: what hypothesis needs to attack a host's own code.

Importing the package loads none of it: each name is fetched when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

try:
    import pytest
except ImportError as error:
    raise ImportError(
        'voicesession.testing needs pytest: pip install "voicesession[testing]"'
    ) from error

if TYPE_CHECKING:
    from .clock import SteppedClock as SteppedClock
    from .contracts.documents import DocumentDriverContract as DocumentDriverContract
    from .contracts.objects import ObjectStoreContract as ObjectStoreContract
    from .contracts.recorder import RecorderContract as RecorderContract
    from .contracts.speech import (
        AgentContract as AgentContract,
        NoiseSuppressorContract as NoiseSuppressorContract,
        SpeechToTextContract as SpeechToTextContract,
        TextToSpeechContract as TextToSpeechContract,
        TurnDetectorContract as TurnDetectorContract,
        VoiceActivityDetectorContract as VoiceActivityDetectorContract,
    )
    from .contracts.storage import StorageContract as StorageContract
    from .contracts.transports import TransportContract as TransportContract
    from .fake_sessions import (
        FakeKind as FakeKind,
        FakeSession as FakeSession,
        SlowAgent as SlowAgent,
        fake_session as fake_session,
    )
    from .faults import (
        Faults as Faults,
        FaultyAgent as FaultyAgent,
        FaultySpeechToText as FaultySpeechToText,
        FaultyTextToSpeech as FaultyTextToSpeech,
    )
    from .lines import LineEnd as LineEnd, carry as carry, loopback as loopback
    from .phone import Phone as Phone
    from .scripted import (
        CallbackAgent as CallbackAgent,
        Lexicon as Lexicon,
        ScriptedSpeechToText as ScriptedSpeechToText,
        ScriptedTextToSpeech as ScriptedTextToSpeech,
        ScriptedVoiceActivityDetector as ScriptedVoiceActivityDetector,
    )
    from .scripted_conversation import ScriptedConversation as ScriptedConversation
    from .stage import PATIENT as PATIENT, Stage as Stage, echo as echo

pytest.register_assert_rewrite(
    "voicesession.testing.contracts",
    "voicesession.testing.phone",
    "voicesession.testing.scripted_conversation",
)

_HOME_OF: Final = {
    name: module
    for module, names in {
        "clock": ("SteppedClock",),
        "contracts.documents": ("DocumentDriverContract",),
        "contracts.objects": ("ObjectStoreContract",),
        "contracts.recorder": ("RecorderContract",),
        "contracts.speech": (
            "AgentContract",
            "NoiseSuppressorContract",
            "SpeechToTextContract",
            "TextToSpeechContract",
            "TurnDetectorContract",
            "VoiceActivityDetectorContract",
        ),
        "contracts.storage": ("StorageContract",),
        "contracts.transports": ("TransportContract",),
        "fake_sessions": ("FakeKind", "FakeSession", "SlowAgent", "fake_session"),
        "faults": ("Faults", "FaultyAgent", "FaultySpeechToText", "FaultyTextToSpeech"),
        "lines": ("LineEnd", "carry", "loopback"),
        "phone": ("Phone",),
        "scripted": (
            "CallbackAgent",
            "Lexicon",
            "ScriptedSpeechToText",
            "ScriptedTextToSpeech",
            "ScriptedVoiceActivityDetector",
        ),
        "scripted_conversation": ("ScriptedConversation",),
        "stage": ("PATIENT", "Stage", "echo"),
    }.items()
    for name in names
}

# One list of names is enough; a test holds the imports above equal to it.
__all__ = tuple(sorted(_HOME_OF))  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
