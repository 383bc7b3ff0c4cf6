"""Turn a captured terminal pane into an SVG: `terminal_picture.py IN OUT COLUMNS`."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text


def main(source: str, target: str, columns: str) -> None:
    """Draw the pane."""
    console = Console(width=int(columns), record=True, file=io.StringIO(), color_system="truecolor")
    pane = Path(source).read_text("utf-8").rstrip("\n")
    for line in pane.split("\n"):
        console.print(Text.from_ansi(line), no_wrap=True, crop=True)
    svg = console.export_svg(title="ibkeeper up")
    # Rich names fonts on a server that the reader may not reach.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    Path(target).write_text(svg, "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:4])
