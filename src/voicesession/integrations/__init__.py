"""
Our session under other people's runtimes.

Each module needs the package that it joins us to, and says so when it is missing; nothing
here is imported by the rest of the library.
"""
