"""Tapes that are tables: a CSV file, or a Parquet file, with the columns that `taperows` names."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ibcore.errors import ConfigRefused
from ibcore.sim.contracts import Contract
from ibcore.sim.taperows import COLUMNS, REQUIRED, Reader, TapeRow

SUFFIXES: Final = frozenset({".csv", ".parquet"})
_BATCH: Final = 8_192


class TableTape:
    """One file, read once for its contracts and again, row by row, for each replay."""

    own_volume: frozenset[int] = frozenset()
    own_greeks: frozenset[int] = frozenset()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = Reader()
        first, last = None, -1
        for number, row in enumerate(self.rows(), 1):
            if row.at_us < last:
                raise ConfigRefused(
                    f"{path.name}: row {number} is earlier than the one before it.",
                    remedy="Nothing was started. Sort the rows by ts.",
                )
            last = row.at_us
            first = row.at_us if first is None else first
        if first is None:
            raise ConfigRefused(f"{path.name} holds no rows.", remedy="Nothing was started.")
        self.starts_us = first

    @property
    def contracts(self) -> list[Contract]:
        """Every contract of the file."""
        return list(self._reader.contracts.values())

    def rows(self) -> Iterator[TapeRow]:
        """Yield the events in the order of the file."""
        for number, raw in enumerate(_raw(self._path), 1):
            try:
                yield self._reader.event(raw)
            except ConfigRefused as wrong:
                raise ConfigRefused(
                    f"{self._path.name}, row {number}: {wrong}", remedy="Nothing was started."
                ) from None

    def close(self) -> None:
        """Nothing is held open between reads."""


def _raw(path: Path) -> Iterator[dict[str, Any]]:
    try:
        yield from _parquet(path) if path.suffix == ".parquet" else _csv(path)
    except (OSError, UnicodeDecodeError, csv.Error) as unread:
        raise ConfigRefused(
            f"{path.name} cannot be read: {unread}.", remedy="Nothing was started."
        ) from None


def _csv(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        _check(path, reader.fieldnames or [])
        for row in reader:
            if None in row or None in row.values():
                raise ConfigRefused(
                    f"{path.name}, line {reader.line_num}: not as many fields as columns.",
                    remedy="Nothing was started.",
                )
            yield row


def _parquet(path: Path) -> Iterator[dict[str, Any]]:
    try:
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConfigRefused(
            "Parquet tapes need pyarrow, which is not installed.",
            remedy="Nothing was started. Install ibkeeper[parquet], or give a CSV file.",
        ) from None
    try:
        file = parquet.ParquetFile(path)
    except ValueError:  # ArrowInvalid is one
        raise ConfigRefused(
            f"{path.name} is not a Parquet file.", remedy="Nothing was started."
        ) from None
    with file:
        _check(path, file.schema_arrow.names)
        for batch in file.iter_batches(_BATCH):
            yield from batch.to_pylist()


def _check(path: Path, names: list[str] | Any) -> None:
    unknown, missing = set(names) - set(COLUMNS), REQUIRED - set(names)
    if unknown or missing:
        what = f"lacks {', '.join(sorted(missing))}" if missing else ""
        more = f"has unknown columns {', '.join(sorted(map(str, unknown)))}" if unknown else ""
        raise ConfigRefused(
            f"{path.name} {' and '.join(filter(None, (what, more)))}.",
            remedy=f"Nothing was started. The columns are {', '.join(COLUMNS)}.",
        )
