"""Speech to text by Deepgram, live: the extra ``deepgram``."""

from .listening import DeepgramSpeechToText

__all__ = ("DeepgramSpeechToText",)
