"""
What decides: pure values, tables and small machines.

Nothing in here awaits, reads a clock, draws a random number, logs or touches the
outside. Time is always an argument, so every decision can be replayed.
"""
