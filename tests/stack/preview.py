"""Draws a preview of each board from the answers that test_panels.py wrote, with a page of ours in headless Chromium (there is no Grafana here).

OTEL_AGENTS_TEST_ARTIFACTS=/tmp/boards pytest tests/stack/test_panels.py
python -m tests.stack.preview /tmp/boards/panels.json grafana/previews
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
DASHBOARDS = HERE.parents[1] / "grafana" / "dashboards"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, UNIT, MARGIN = 1280, 30, 60  # pixels: the page, one row of Grafana's grid, what stands around it


def main(answers: Path, folder: Path) -> None:
    """One picture a board."""
    asked = json.loads(answers.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(DASHBOARDS.glob("*.json")):
        board = json.loads(path.read_text())
        draw(board, [one for one in asked if one["board"] == board["uid"]], folder / f"{path.stem}.png")


def draw(board: dict[str, object], asked: list[dict[str, object]], picture: Path) -> None:
    page = (HERE / "preview.html").read_text().replace("/* DATA */", f"const BOARD = {json.dumps(board)}, ASKED = {json.dumps(asked)};".replace("</", "<\\/"))
    panels: list[dict[str, dict[str, int]]] = board["panels"]  # type: ignore[assignment]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * UNIT + MARGIN
    browser = next(found for name in BROWSERS if (found := shutil.which(name)))
    with TemporaryDirectory() as folder:
        (Path(folder) / "page.html").write_text(page)
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={WIDTH},{height}", f"--screenshot={picture.resolve()}"]
        subprocess.run([browser, *options, f"file://{folder}/page.html"], check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
