"""
What the engines of a conversation do, port by port.

A suite asks for the engine in a fixture, and for what to say to it where the engine has to
understand something.
"""

from .agents import AgentContract, a_prompt
from .detectors import VoiceActivityDetectorContract
from .recognisers import MarksProgressContract, RecognitionContract, SpeechToTextContract
from .speakers import TextToSpeechContract
from .suppressors import NoiseSuppressorContract
from .turns import TurnDetectorContract

__all__ = (
    "AgentContract",
    "MarksProgressContract",
    "NoiseSuppressorContract",
    "RecognitionContract",
    "SpeechToTextContract",
    "TextToSpeechContract",
    "TurnDetectorContract",
    "VoiceActivityDetectorContract",
    "a_prompt",
)
