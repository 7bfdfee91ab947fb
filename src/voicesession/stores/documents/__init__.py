"""
Sessions as documents: one set of stores over any `DocumentDriver`.

The drivers for servers are imported from their modules, because each needs its extra.
"""

from .layout import INDEXES
from .memory import MemoryDocumentDriver
from .storage import DocumentStorage

__all__ = ("INDEXES", "DocumentStorage", "MemoryDocumentDriver")
