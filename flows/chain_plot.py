"""Pictures of a chain snapshot: smile and term structure as one PNG, inline in a markdown artifact.

Prefect's UI shows a `data:` picture in markdown offline, in both of its versions; an image by
http only where the browser reaches that address (facts in docs/chains.md).
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

LINES_AT_MOST: Final = 8
DEVIATIONS: Final = 3.5
NARROWEST: Final = 0.03
_SIZE: Final = (11.0, 4.2)


def picture(rows: Sequence[Mapping[str, Any]], *, title: str) -> bytes | None:
    """Return a PNG of the smiles and the term structure; None where there is no volatility.

    `rows` are those of the query `chain_smile`.
    """
    by_expiry: dict[date, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["iv"] is not None:
            by_expiry.setdefault(row["expiry"], []).append(row)
    shown = {expiry: _near_the_money(found) for expiry, found in by_expiry.items()}
    return _drawn(shown, title) if shown else None


def markdown(png: bytes, *, caption: str) -> str:
    """Return the picture as markdown that needs nothing from outside."""
    return f"![{caption}](data:image/png;base64,{base64.b64encode(png).decode()})\n\n{caption}\n"


def _near_the_money(rows: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Leave out wings so far away that they would flatten everything that is traded."""
    middle = min(rows, key=lambda row: abs(row["log_moneyness"]))
    reach = max(NARROWEST, DEVIATIONS * middle["iv"] * math.sqrt(middle["years"]))
    return [row for row in rows if abs(row["log_moneyness"]) <= reach]


def _drawn(by_expiry: Mapping[date, Sequence[Mapping[str, Any]]], title: str) -> bytes:
    # Not at import: matplotlib takes a second, and most runs of other flows draw nothing.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    smile, term = figure.subplots(1, 2, width_ratios=(3, 2))
    figure.suptitle(title)
    _smiles(smile, by_expiry)
    _term(term, by_expiry)
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=110)
    return held.getvalue()


def _smiles(axes: Any, by_expiry: Mapping[date, Sequence[Mapping[str, Any]]]) -> None:
    for expiry in sorted(by_expiry)[:LINES_AT_MOST]:
        rows = by_expiry[expiry]
        strikes = [row["strike"] for row in rows]
        (line,) = axes.plot(
            strikes, [100 * row["iv"] for row in rows], marker=".", label=f"{expiry:%d %b %y}"
        )
        own = [(row["strike"], 100 * row["own_iv"]) for row in rows if row["own_iv"] is not None]
        if own:
            axes.plot(*zip(*own, strict=True), ".", mfc="none", ms=7, color=line.get_color())
    axes.set(xlabel="strike", ylabel="volatility (% a year)", title="smile (line: IB, rings: mid)")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small")


def _term(axes: Any, by_expiry: Mapping[date, Sequence[Mapping[str, Any]]]) -> None:
    points = []
    for rows in by_expiry.values():
        nearest = min(rows, key=lambda row: abs(row["log_moneyness"]))
        points.append((365 * nearest["years"], 100 * nearest["iv"]))
    days, vols = zip(*sorted(points), strict=True)
    axes.plot(days, vols, marker="o")
    axes.set(xlabel="days to expiry", ylabel="volatility (% a year)", title="at the money")
    axes.grid(visible=True, alpha=0.3)
