"""
What the runtime needs from the outside, as Protocols; the contract is the docstring.

A class becomes an adapter by passing the contract suite of its port in
``voicesession.testing.contracts``. A published method never gains a parameter: a new
power is a new Protocol.
"""
