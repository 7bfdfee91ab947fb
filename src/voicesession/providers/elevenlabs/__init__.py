"""Text to speech by ElevenLabs, streamed: the extra ``elevenlabs``."""

from .speaking import ElevenLabsTextToSpeech

__all__ = ("ElevenLabsTextToSpeech",)
