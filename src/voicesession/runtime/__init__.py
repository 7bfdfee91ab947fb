"""
What makes the core live: the manager, the live session and what they share.

The runtime knows ports only. It stands beside the adapters, never above them; the host,
or `voicesession.wiring`, brings both together.
"""
