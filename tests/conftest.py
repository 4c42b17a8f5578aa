"""Our suite uses the fixture that users have, and everything it records is held to the conventions."""

pytest_plugins = ["otel_agents.testing", "conformance.plugin"]
