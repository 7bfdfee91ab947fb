"""``python -m voicesession.cli``: the same as ``voicesession``."""

from __future__ import annotations

from . import main

main()
