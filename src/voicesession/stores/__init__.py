"""
Where sessions live: one module or package for each medium.

Nothing is imported here, so that a host pays only for the medium it uses.
"""
