"""Our suite uses the fixture that users have, and everything it records is held to the conventions."""

import signal

pytest_plugins = ["otel_agents.testing", "conformance.plugin", "figures", "leaks", "packaged", "selection", "switching", "toolchain"]


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell has it ignored by what it starts in the background, and so by the programs of our tests
    signal.signal(signal.SIGINT, signal.default_int_handler)
