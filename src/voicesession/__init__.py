"""The durable session layer of a voice app."""
