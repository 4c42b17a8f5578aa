"""Our suite uses the fixture that users have."""

pytest_plugins = ["otel_agents.testing"]
