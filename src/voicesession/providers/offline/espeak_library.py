"""
eSpeak NG through ctypes: https://github.com/espeak-ng/espeak-ng/blob/master/src/include/espeak-ng/speak_lib.h

The library keeps its voice, its parameters and its callback in global variables, so one
process has one `Espeak`, and one thread that calls it; texts wait for it in a line.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import takewhile
from queue import SimpleQueue
from threading import Lock
from typing import Any, ClassVar, Final

from attrs import frozen

from ...core.errors import InvalidConfig, InvalidValue, ProviderError, VoiceSessionError

__all__ = ("ENGINE", "Espeak", "Piece", "Speaking", "Voice", "espeak")

ENGINE: Final = "espeak"

_SYNCHRONOUS: Final = 2
_EACH_CALLBACK_MS: Final = 60
_DO_NOT_EXIT: Final = 0x8000
_UTF8: Final = 1
_AT_CHARACTERS: Final = 1
_RATE: Final = 1
_PITCH: Final = 3
_LIST_END: Final = 0
_WORD: Final = 1
_CLAUSE_END: Final = 5
_BLANK_OR_END: Final = re.compile(r"\s|\Z")
_GO_ON: Final = 0
_ABORT: Final = 1


class _Event(ctypes.Structure):
    _fields_: ClassVar = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


class _VoiceFile(ctypes.Structure):
    _fields_: ClassVar = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


_CALLBACK: Final = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event)
)


@frozen(kw_only=True)
class Voice:
    """How a text is spoken.

    Attributes:
        name: eSpeak's name of a voice, ``en-us+f3``; or a language tag if ``by_language``.
        rate_wpm: Words a minute, 80 to 450.
        pitch: 0 to 99.
    """

    name: str
    by_language: bool = False
    rate_wpm: int
    pitch: int


@frozen
class Piece:
    """Some audio, and where in the text it stands.

    Attributes:
        boundaries: Where a word begins or a clause ends: an offset into the text, and the
            milliseconds of audio before it.
    """

    pcm: bytes
    boundaries: tuple[tuple[int, int], ...] = ()


class Speaking:
    """A text that is spoken, or waits for its turn; the audio comes out of `take`."""

    def __init__(self, text: str, voice: Voice) -> None:
        self.text = text
        self.voice = voice
        self.is_cancelled = False
        self._pieces: SimpleQueue[Piece | Exception | None] = SimpleQueue()

    def take(self) -> list[Piece]:
        """Wait for audio and return what there is; nothing once all has been returned.

        Raises:
            InvalidValue: eSpeak does not know the voice or the language.
            ProviderError: eSpeak failed.
        """
        pieces: list[Piece] = []
        piece = self._pieces.get()
        while isinstance(piece, Piece):
            pieces.append(piece)
            if self._pieces.empty():
                return pieces
            piece = self._pieces.get()
        # What ends it stays, however often it is asked for; audio before it comes first.
        self._pieces.put(piece)
        if piece is not None and not pieces:
            raise piece
        return pieces

    def cancel(self) -> None:
        """Have eSpeak stop at its next 60 ms of audio, and make no more."""
        self.is_cancelled = True

    def add(self, piece: Piece) -> None:
        self._pieces.put(piece)

    def end(self, error: Exception | None = None) -> None:
        self._pieces.put(error)


class Espeak:
    """The library, and the thread that calls it. Get it from `espeak`.

    Attributes:
        sample_rate: Of all it says.
    """

    def __init__(self) -> None:
        loader = _loader()
        self._library = _load(loader.get_library_path())
        self.sample_rate: int = self._library.espeak_Initialize(
            _SYNCHRONOUS, _EACH_CALLBACK_MS, loader.get_data_path().encode(), _DO_NOT_EXIT
        )
        # The library keeps the pointer: so do we, or it would point nowhere.
        self._callback = _CALLBACK(self._on_audio)
        self._library.espeak_SetSynthCallback(self._callback)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=ENGINE)
        self._speaking: Speaking | None = None
        self._voice: Voice | None = None

    def start(self, speaking: Speaking) -> None:
        """Put *speaking* at the end of the line."""
        self._thread.submit(self._speak, speaking)

    def language_of(self, voice: Voice) -> str:
        """Return the tag of the language that *voice* speaks. Blocks for its turn.

        Raises:
            InvalidValue: eSpeak does not know the voice or the language.
        """
        return self._thread.submit(self._language_of, voice).result()

    def _speak(self, speaking: Speaking) -> None:
        if speaking.is_cancelled:
            speaking.end()
            return
        try:
            self._choose(speaking.voice)
            self._synthesise(speaking)
        except VoiceSessionError as error:
            speaking.end(error)
        else:
            speaking.end()

    def _synthesise(self, speaking: Speaking) -> None:
        # A NUL would end the text; blanks and question marks keep every offset in its place.
        text = speaking.text.replace("\0", " ").encode("utf-8", "replace") + b"\0"
        self._speaking = speaking
        try:
            status = self._library.espeak_Synth(
                text, len(text), 0, _AT_CHARACTERS, 0, _UTF8, None, None
            )
        finally:
            self._speaking = None
        if status:
            raise ProviderError(ENGINE, f"espeak_Synth failed with {status}")

    def _on_audio(self, wave: int | None, samples: int, events: Any) -> int:
        speaking = self._speaking
        if speaking is None or speaking.is_cancelled:
            return _ABORT
        if wave and samples:
            pcm = ctypes.string_at(wave, 2 * samples)
            speaking.add(Piece(pcm, tuple(_boundaries(speaking.text, events))))
        return _GO_ON

    def _choose(self, voice: Voice) -> None:
        if voice == self._voice:
            return
        self._voice = None
        if voice.by_language:
            wanted = _VoiceFile(languages=voice.name.encode())
            status = self._library.espeak_SetVoiceByProperties(ctypes.byref(wanted))
        else:
            status = self._library.espeak_SetVoiceByName(voice.name.encode())
        if status:
            what = "language" if voice.by_language else "voice"
            raise InvalidValue(what, voice.name, f"a {what} of eSpeak NG")
        self._library.espeak_SetParameter(_RATE, voice.rate_wpm, 0)
        self._library.espeak_SetParameter(_PITCH, voice.pitch, 0)
        self._voice = voice

    def _language_of(self, voice: Voice) -> str:
        self._choose(voice)
        # A byte of priority, then the tag, then more of both.
        languages: bytes = self._library.espeak_GetCurrentVoice().contents.languages
        return languages[1:].decode()


def espeak() -> Espeak:
    """Return the one `Espeak` of this process; the first call loads the library.

    Raises:
        InvalidConfig: The extra ``offline`` is not installed.
    """
    with _LOADING:
        return _the_espeak()


_LOADING: Final = Lock()


@cache
def _the_espeak() -> Espeak:
    return Espeak()


def _loader() -> Any:
    try:
        import espeakng_loader
    except ImportError as error:
        raise InvalidConfig(
            "tts", ENGINE, 'an installed engine: pip install "voicesession[offline]"'
        ) from error
    return espeakng_loader


def _load(path: str) -> ctypes.CDLL:
    library = ctypes.CDLL(path)
    library.espeak_Initialize.argtypes = [
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
    ]
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
    library.espeak_SetVoiceByProperties.argtypes = [ctypes.POINTER(_VoiceFile)]
    library.espeak_GetCurrentVoice.restype = ctypes.POINTER(_VoiceFile)
    return library


def _boundaries(text: str, events: Any) -> Iterator[tuple[int, int]]:
    for event in takewhile(lambda event: event.type != _LIST_END, events):
        offset = event.text_position - 1
        if event.type == _WORD:
            yield offset, event.audio_position
        elif event.type == _CLAUSE_END:
            # A clause ends before its full stop, the last one before its last letter.
            yield next(_BLANK_OR_END.finditer(text, offset)).start(), event.audio_position
