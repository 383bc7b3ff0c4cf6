"""How rows got here: the replay ledger, the sidecars, and what each minute cost."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Double, Index, Integer, Text, Uuid, text

from ibcore.models.column import Row, column, described, moment, number


class IngestBatch(Row, table=True):
    """One committed batch: written in the same transaction as its rows."""

    __tablename__ = "ingest_batch"
    __table_args__ = (
        Index("ingest_batch_epoch_first_seq_idx", "epoch", "first_seq"),
        {"comment": "Replay ledger: a batch that is here is committed and is never sent again."},
    )

    spool: UUID = column("Spool that numbered the batch.", Uuid, key=True)
    batch: int = column("Number of the batch within the spool.", BigInteger, key=True)
    sidecar: str = column("Name of the sidecar.", Text)
    epoch: int = column("Start of the sidecar.", Integer)
    first_seq: int = column("First seq of the batch.", BigInteger)
    last_seq: int = column("Last seq of the batch.", BigInteger)
    rows: int = column("Rows of the batch, over all four market tables.", Integer)
    sealed_at: datetime = moment("When the batch was closed for new rows.")
    committed_at: datetime | None = moment(
        "When the transaction was about to commit.", default="clock_timestamp()"
    )
    first_ts: datetime | None = moment("Earliest event time of its rows; NULL: unknown.", null=True)
    last_ts: datetime | None = moment("Latest event time of its rows; NULL: unknown.", null=True)


class IngestOrder(Row, table=True):
    """The place of a batch in the order of commits; written by a trigger."""

    __tablename__ = "ingest_order"
    __table_args__ = (
        Index("ingest_order_forgotten_idx", "position", postgresql_where=text("batch = 0")),
        {"comment": "The order in which the batches of the ledger became visible."},
    )

    position: int = column("Place in that order; holes mean nothing.", BigInteger, identity=True)
    spool: UUID = column("Spool of the batch.", Uuid)
    batch: int = column("Its number; 0: up to here entries were deleted for their age.", BigInteger)


class FeedGap(Row, table=True):
    """Rows that are not there, and why."""

    __tablename__ = "feed_gap"
    __table_args__ = (
        Index("feed_gap_from_ts_idx", "from_ts"),
        Index(
            "feed_gap_open_line_idx",
            "sidecar",
            "instrument_id",
            postgresql_where=text("to_ts IS NULL"),
        ),
        {"comment": "Rows that are not there, and why; one row a cause and stretch of time."},
    )

    id: UUID = column("Given once, by whoever noted the gap.", Uuid, key=True)
    noted_at: datetime | None = moment("When it was noted here.", default="clock_timestamp()")
    sidecar: str = column("Name of the sidecar.", Text)
    epoch: int = column("Start of the sidecar.", Integer)
    instrument_id: int | None = column(
        "Instrument; NULL: any of those the sidecar streamed.", Integer, null=True
    )
    cause: str = column("Why; the words of ibcore.domain.GapCause.", Text)
    from_ts: datetime = moment("Receive time of the first row that is lost, or near it.")
    to_ts: datetime | None = moment("Of the last one; NULL: still open.", null=True)
    spool: UUID | None = column("Spool whose numbers are missing.", Uuid, null=True)
    first_seq: int | None = column("First seq of it; NULL: unknown.", BigInteger, null=True)
    last_seq: int | None = column("Last seq of it; NULL: unknown.", BigInteger, null=True)
    rows: int | None = column("How many rows are lost; NULL: unknown.", BigInteger, null=True)
    detail: str | None = column("What happened, for a person.", Text, null=True)
    filled_by: str | None = column("Who filled it since; NULL: nobody.", Text, null=True)
    filled_at: datetime | None = moment("When it was filled.", null=True)


class RejectedTick(Row, table=True):
    """A tick that was not believed, and how many were like it."""

    __tablename__ = "rejected_tick"
    __table_args__ = (
        Index("rejected_tick_sidecar_recv_ts_idx", "sidecar", "recv_ts"),
        {
            "comment": "Ticks that were not believed, by the minute;"
            " the newest 100,000 rows of a sidecar."
        },
    )

    id: UUID = column("Given once, by whoever refused the tick.", Uuid, key=True)
    sidecar: str = column("Name of the sidecar.", Text)
    epoch: int = column("Start of the sidecar.", Integer)
    instrument_id: int | None = column(
        "instrument.id; NULL: of no open line, or of many.", Integer, null=True
    )
    tick_type: int | None = column("IB tick type; -1: unreadable, NULL: many.", Integer, null=True)
    reason: str = column("Why; the words of ibcore.domain.RejectReason.", Text)
    raw: str | None = column("What the first of them said, fields separated by ;.", Text, null=True)
    recv_ts: datetime = moment("When the first of them was received.")
    last_ts: datetime = moment("When the last of them was.")
    alike: int = column("How many more of them came within the minute.", BigInteger, default="0")


class Sidecar(Row, table=True):
    """One row a sidecar name: who runs, and how it is doing."""

    __tablename__ = "sidecar"
    __table_args__ = described("Sidecars and their heartbeat; one row a name.")

    name: str = column("Name of the sidecar.", Text, key=True)
    epoch: int = column("Number of its newest start.", Integer)
    pid: int | None = column("Process id on its host.", Integer, null=True)
    host: str | None = column("Machine it runs on.", Text, null=True)
    version: str | None = column("Version of ibkeeper.", Text, null=True)
    state: str = column("starting, running, draining or stopped.", Text)
    started_at: datetime = moment("When it was started.")
    heartbeat_at: datetime = moment("When it last wrote this row.")
    stopped_at: datetime | None = moment("When it stopped in good order.", null=True)
    lines_used: int | None = column("Market-data lines in use.", Integer, null=True)
    lines_limit: int | None = column("Market-data lines allowed.", Integer, null=True)
    ticks_total: int = column("Tick messages read since its start.", BigInteger, default="0")
    rows_total: int = column("Market rows committed since its start.", BigInteger, default="0")
    backlog_rows: int = column("Rows that wait to be committed.", Integer, default="0")
    dropped_rows: int = column(
        "Rows given up since its start because the backlog was full.", BigInteger, default="0"
    )
    latency_p50_ms: float | None = number("Median of commit minus receive, last minute, ms.")
    latency_p99_ms: float | None = number("99th percentile of the same, ms.")


class FeedMinute(Row, table=True):
    """What one provider delivered in one minute."""

    __tablename__ = "feed_minute"
    __table_args__ = described("Messages, rows and latency, by minute, sidecar and provider.")

    minute: datetime = moment("Start of the minute.", key=True)
    sidecar: str = column("Name of the sidecar.", Text, key=True)
    provider: str = column("Who delivered.", Text, key=True)
    ticks: int = column("Tick messages read.", BigInteger)
    rows: int = column("Market rows committed.", BigInteger)
    batches: int = column("Batches committed.", Integer)
    latency_p50_ms: float | None = number("Median of commit minus receive, ms.")
    latency_p99_ms: float | None = number("99th percentile of commit minus receive, ms.")
    latency_max_ms: float | None = number("Maximum of commit minus receive, ms.")
    staleness_max_s: float | None = column(
        "Longest silence of a line that should have moved, s.", Double, null=True
    )


class Sink(Row, table=True):
    """One place that rows are published to beside the database."""

    __tablename__ = "sink"
    __table_args__ = described("Where rows are published beside the database; one row a sink.")

    name: str = column("redis or nats.", Text, key=True)
    cursor: str | None = column(
        "Up to where it has everything (position.seq, see ingest_order); NULL: nothing yet.",
        Text,
        null=True,
    )
    published: int = column("Rows published, over all starts.", BigInteger, default="0")
    newest_ts: datetime | None = moment("Receive time of the newest row it has.", null=True)
    error: str | None = column("Why it does not go on; NULL: it does.", Text, null=True)
    noted_at: datetime | None = moment(
        "When this was written; every second while the process runs.", default="clock_timestamp()"
    )
