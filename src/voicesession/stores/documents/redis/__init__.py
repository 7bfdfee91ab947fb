"""Documents in Redis or Valkey, through redis-py: the extra ``redis``. For asyncio only."""

from .driver import RedisDocumentDriver

__all__ = ("RedisDocumentDriver",)
