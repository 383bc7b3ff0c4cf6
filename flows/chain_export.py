"""A chain snapshot as a file: CSV, or Parquet where pyarrow is installed."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ibcore.errors import ConfigRefused


def export(rows: Sequence[Mapping[str, Any]], folder: Path, *, name: str, kind: str) -> Path:
    """Write the rows of `chain_export`; return the file. It is whole or not there."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.{kind}"
    handle, draft = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
    os.close(handle)
    try:
        if kind == "parquet":
            _parquet(rows, Path(draft))
        else:
            _csv(rows, Path(draft))
        Path(draft).replace(target)
    finally:
        Path(draft).unlink(missing_ok=True)
    return target


def _csv(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]) if rows else [])
        writer.writeheader()
        writer.writerows(rows)


def _parquet(rows: Sequence[Mapping[str, Any]], file: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise ConfigRefused(
            "Parquet needs the package pyarrow, which is not installed.",
            remedy="The snapshot is stored. Run: pip install 'ibkeeper[parquet]', or choose csv.",
        ) from None
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    pq.write_table(pa.Table.from_pylist(plain), file)


def _plain(value: Any) -> Any:
    return str(value) if type(value).__name__ == "UUID" else value
