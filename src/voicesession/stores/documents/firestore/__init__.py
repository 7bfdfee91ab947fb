"""Documents in Firestore: the extra ``firestore``."""

from .driver import FirestoreDocumentDriver
from .indexes import DEFAULT_PREFIX, index_definitions

__all__ = ("DEFAULT_PREFIX", "FirestoreDocumentDriver", "index_definitions")
