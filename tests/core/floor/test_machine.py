"""Whatever is done to a conversation, these hold: see ConversationMachine."""

from __future__ import annotations

from hypothesis import settings

from voicesession.testing.effort import examples
from voicesession.testing.machine_floor import ConversationMachine

TestConversation = ConversationMachine.TestCase
TestConversation.settings = settings(max_examples=examples(60), stateful_step_count=40)
