"""
Agents, speech and transcription by OpenAI, or by a server that speaks as it does.

The extra ``openai``. Many servers understand these three calls; ``base_url`` chooses one.
"""

from .agent import OpenAIAgent, Tool
from .speaking import OpenAITextToSpeech
from .transcribing import OpenAISpeechToText

__all__ = ("OpenAIAgent", "OpenAISpeechToText", "OpenAITextToSpeech", "Tool")
