"""
Adapters to the engines of a conversation, one folder or file per engine.

Each is imported from its own module; its optional packages are imported when it is made, or,
for the vendors, with its module. ``names`` makes any of them from its name in the settings.
"""
