"""What the hostile tests share with the rest of the suite."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
