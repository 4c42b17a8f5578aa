"""The table of ratios: see table.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from table import main

if __name__ == "__main__":
    sys.exit(main())
