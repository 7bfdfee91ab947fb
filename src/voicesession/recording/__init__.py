"""
Recording that loses nothing: spools on this disk, finished files in an object store.

``SpoolRecorder`` is the recorder, ``FileObjectStore`` the store of finished files on a
local disk. Both need a POSIX system: advisory locks tell the living from the dead.
"""
