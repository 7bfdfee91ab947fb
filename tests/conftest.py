"""What holds for every test."""

import os

from hypothesis import HealthCheck, settings

# A machine that is busy with something else is no reason for a property to fail.
settings.register_profile(
    "voicesession", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "proof", settings.get_profile("voicesession"), max_examples=3_000, stateful_step_count=80
)
settings.load_profile(os.environ.get("VOICESESSION_PROFILE", "voicesession"))
