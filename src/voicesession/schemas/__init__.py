"""Pydantic at the edges: what comes over the wire, and what goes out over it."""
