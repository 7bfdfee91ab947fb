"""
Sessions as documents: one set of stores over any `DocumentDriver`.

The drivers for servers are imported from their modules, because each needs its extra.
"""

from .memory import MemoryDocumentDriver

__all__ = ("MemoryDocumentDriver",)
