"""
Adapters to speech engines, one folder or file per engine.

Each is imported from its own module; its optional packages are imported when it is made.
"""
