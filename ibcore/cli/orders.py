"""`ibkeeper orders`: submit a batch, see what became of it, cancel it, settle an unknown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import anyio
import typer

from ibcore import config, db
from ibcore.batch import csv_file, instruments, preview, submit
from ibcore.batch.csv_file import BatchRefused
from ibcore.batch.preview import Preview, refuse_refused, totals
from ibcore.batch.submit import Batch
from ibcore.cli.database import Reason, whoever, with_database
from ibcore.clock import monotonic
from ibcore.risk import is_paper

app = typer.Typer(no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="Key of the batch.")]
By = Annotated[str | None, typer.Option("--by", help="Who says so; left out: the login.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON list.")]


@app.command("submit")
def submit_(
    file: Annotated[Path, typer.Argument(help="CSV file, a column a field; see docs/orders.md.")],
    *,
    key: Annotated[str, typer.Option("--key", help="Your name for it; the same never twice.")],
    account: Annotated[str, typer.Option("--account", help="Left out: the only one.")] = "",
    send: Annotated[bool, typer.Option("--send", help="Send it; otherwise a dry run.")] = False,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to watch it afterwards.")] = 10.0,
    valid: Annotated[float, typer.Option("--valid", help="Seconds until it expires unsent.")] = 600,
    by: By = None,
) -> None:
    """Check a batch, and with --send hand it to the sidecar."""
    lines = csv_file.read(file)  # before anything is opened: a bad file does nothing at all
    who = whoever(by)

    async def work(conn: db.Connection) -> tuple[Batch, bool, list[Preview]]:
        named = await submit.account_of(conn, account)
        orders = await instruments.find(conn, lines, sidecar=config.load().sidecar.name)
        batch = Batch(key, named, orders, who, valid)
        known = await submit.is_known(conn, batch)
        live = config.load().orders.live
        found = [] if known else await preview.preview(conn, batch, live_enabled=live)
        return batch, known, found

    batch, known, found = with_database("orders", work)
    for each in found:
        typer.echo(f"{each.line:>4}  {each.order:<44} {'; '.join(each.refusals) or 'accepted'}")
        for leg in each.legs:
            typer.echo(f"      {leg}")
    if not known:
        typer.echo(totals(batch, found))
    if not send:
        typer.echo("Dry run: nothing was sent. Add --send to send it.")
        return
    if known:
        typer.echo(f"The batch {key} was submitted before; nothing is sent twice.")
    else:
        refuse_refused(found)
        batch = _approved(batch)
        with_database("orders", lambda conn: submit.submit(conn, batch))
    _watch(key, wait)


@app.command("show")
def show(
    key: Annotated[str | None, typer.Argument(help="Key of a batch; left out: the newest.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show a batch by line, or list the newest batches."""
    if key is None:
        rows = with_database("orders", submit.recent)
    else:
        rows = with_database("orders", lambda conn: submit.orders(conn, key))
    if as_json:
        typer.echo(json.dumps(rows, indent=2, default=str))
        return
    if not rows:
        typer.echo(f"There is no batch {key}." if key else "No batch was ever submitted.")
    for row in rows:
        typer.echo(order_line(row) if key else batch_line(row))


@app.command("cancel")
def cancel(key: Key, *, by: By = None) -> None:
    """Cancel a batch: what was not sent ends, the rest is cancelled at IB."""
    unsent, asked = with_database("orders", lambda conn: submit.cancel(conn, key, by=whoever(by)))
    typer.echo(
        f"{unsent} ended unsent, {asked} cancels asked for. See: ibkeeper orders show {key}."
    )


@app.command("modify")
def modify(
    key: Key,
    line: Annotated[int, typer.Argument(help="Line of the order.")],
    *,
    quantity: Annotated[str | None, typer.Option(help="New quantity in all.")] = None,
    limit_price: Annotated[str | None, typer.Option(help="New limit price.")] = None,
    stop_price: Annotated[str | None, typer.Option(help="New stop price.")] = None,
) -> None:
    """Ask for new terms of a working order."""
    terms = {"quantity": quantity, "limit_price": limit_price, "stop_price": stop_price}
    if not any(terms.values()):
        raise BatchRefused("No new term was given.", remedy="See: ibkeeper orders modify --help.")
    asked = with_database("orders", lambda conn: submit.modify(conn, key, line, **terms))
    if not asked:
        raise BatchRefused(
            f"Line {line} of {key} does not work.", remedy=f"See: ibkeeper orders show {key}."
        )
    typer.echo(f"The change was asked for. See: ibkeeper orders show {key}.")


@app.command("resolve")
def resolve(
    order: Annotated[str, typer.Argument(help="Id of the unknown order.")],
    state: Annotated[str, typer.Option("--as", help="filled, cancelled, rejected, not_sent, …")],
    by: Annotated[str, typer.Option("--by", help="Who says so: a person's name.")],
    reason: Reason,
) -> None:
    """Say what became of an unknown order, by name and for a reason."""
    try:
        intent_id = UUID(order)
    except ValueError:
        raise BatchRefused(
            f"{order} is no id of an order.", remedy="Nothing was changed."
        ) from None
    with_database(
        "orders", lambda conn: submit.resolve(conn, intent_id, state, by=by, reason=reason)
    )
    typer.echo(f"{order} is {state}.")


def order_line(row: dict[str, Any]) -> str:
    """Return one order as a person reads it."""
    price = "" if row["average_price"] is None else f" at {row['average_price'].normalize():f}"
    filled = f"{row['filled'].normalize():f}{price}"
    order = (
        f"{row['side']} {row['quantity'].normalize():f} {submit.traded(row)} {row['order_type']}"
    )
    kind = "" if row["kind"] == "new" else f"{row['kind']} "
    return f"{row['line']:>4}  {kind}{order:<40} {row['state']:<10} {filled}  {row['reason'] or ''}"


def batch_line(row: dict[str, Any]) -> str:
    """Return one batch as a person reads it."""
    loud = f", {row['unknown']} UNKNOWN" if row["unknown"] else ""
    return (
        f"{row['created_at']:%Y-%m-%d %H:%M:%S}  {row['key']:<32} {row['ended']} of "
        f"{row['orders']} ended{loud}  {row['submitted_by']}"
    )


def _approved(batch: Batch) -> Batch:
    if is_paper(batch.account):
        return batch
    typed = typer.prompt(f"This is LIVE. Type the account {batch.account} to send it")
    if typed.strip() != batch.account:
        raise BatchRefused("It was not approved.", remedy="Nothing was sent.")
    return batch._replace(approved_by=batch.submitted_by)


def _watch(key: str, for_s: float) -> None:
    async def follow(conn: db.Connection) -> list[dict[str, Any]]:
        ends_at = monotonic() + for_s
        while True:
            rows = await submit.orders(conn, key)
            if submit.is_over(rows) or monotonic() > ends_at:
                return rows
            await anyio.sleep(0.2)

    for row in with_database("orders", follow):
        typer.echo(order_line(row))
