"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A machine that is busy with something else is no reason for a property to fail.
settings.register_profile(
    "voicesession", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("voicesession")
