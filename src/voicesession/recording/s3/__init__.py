"""
Objects in an S3 bucket, or in anything that speaks its language. Needs the extra ``s3``.

It runs on asyncio only, and says so at its first use. ``S3ObjectStore`` is the store,
``S3Options`` says how objects are kept, ``S3Limits`` how long and how much.
"""

try:
    import aiobotocore as aiobotocore
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'objects in S3 need aiobotocore: pip install "voicesession[s3]"', name=error.name
    ) from error

from .faults import BucketNotFound, UploadLost
from .settings import Checksums, Encryption, S3Limits, S3Options
from .store import S3ObjectStore

__all__ = (
    "BucketNotFound",
    "Checksums",
    "Encryption",
    "S3Limits",
    "S3ObjectStore",
    "S3Options",
    "UploadLost",
)
