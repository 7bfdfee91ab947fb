"""
Help for hosts and for those who implement a port. Needs the extra ``testing``.

* ``contracts``: the suites that make a class an adapter; subclass one, give it a fixture.
* ``scripted``, ``phone`` and ``clock``: speech engines that hear and say what a test
  wants, and a caller in time that is turned by hand.
* ``strategies…`` and ``machine…``: what hypothesis needs to attack a host's own code.
"""

try:
    import pytest
except ImportError as error:
    raise ImportError(
        'voicesession.testing needs pytest: pip install "voicesession[testing]"'
    ) from error

pytest.register_assert_rewrite("voicesession.testing.contracts", "voicesession.testing.phone")
