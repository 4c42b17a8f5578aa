"""session(): the conversation by position or by name."""

import otel_agents as oa
from otel_agents.testing import capture


def test_the_conversation_may_be_given_by_its_name():
    with capture() as telemetry, oa.session(conversation="c1", user="ann"), oa.step("one"):
        pass
    attributes = telemetry.span("step one")["attributes"]
    assert attributes["gen_ai.conversation.id"] == "c1"
    assert "conversation" not in attributes
