"""`python -m otel_agents` is `otel-agents`."""

import sys

from otel_agents.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
