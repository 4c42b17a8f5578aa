"""What `import otel_agents` costs a program that has nothing on, and what it brings along."""

from __future__ import annotations

import json
import sys
import time

HEAVY = ("pydantic", "wrapt", "duckdb", "opentelemetry.sdk", "litellm", "openai")

began = time.perf_counter()
import otel_agents  # noqa: E402 - the clock runs

imported = time.perf_counter()
otel_agents.agent  # noqa: B018 - the first look at a verb loads it
loaded = time.perf_counter()

print(json.dumps({"import": (imported - began) * 1e3, "verbs": (loaded - began) * 1e3, "heavy": [name for name in HEAVY if name in sys.modules]}))
