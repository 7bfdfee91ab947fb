"""
Recording that loses nothing: spools on this disk, finished files in an object store.

``SpoolRecorder`` is the recorder. Finished files go into a ``FileObjectStore`` on a local
disk, an ``S3ObjectStore`` or, where nothing is to be kept, a ``MemoryObjectStore``. Spools
and files need a POSIX system: advisory locks tell the living from the dead.
"""
