"""Go modules that nothing here may build or compile against: they are AGPL."""

from __future__ import annotations

import re

BANNED = re.compile(rb"github\.com/grafana/" + rb"(loki|tempo|grafana|k6)\b")
