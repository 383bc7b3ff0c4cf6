"""`ibkeeper orders`, run as a person runs it, on a real sidecar and a simulated gateway."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.system import running_system

NAME = "cli"


@pytest.mark.timeout(120)
def test_a_batch_is_tried_sent_once_changed_and_cancelled(
    postgres_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "orders.csv"

    def orders(*arguments: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "IBKEEPER_DATABASE_URL": postgres_url}
        environ |= {"IBKEEPER_HOME": str(tmp_path), "IBKEEPER_SIDECAR__NAME": NAME}
        command = [sys.executable, "-W", "error", "-m", "ibcore.cli.__main__", "orders"]
        return subprocess.run(
            [*command, *arguments], env=environ, capture_output=True, text=True, check=False
        )

    with running_system(postgres_url, tmp_path) as system:
        system.name = NAME
        system.start_gateway()
        system.wait_for(system.gateway_listens, within_s=30, what="the gateway listens")
        system.start_sidecar()
        known = "SELECT count(*) FROM ibkeeper.account_state WHERE sidecar = %s"
        system.wait_for(lambda: system.value(known, (NAME,)) == 1, within_s=30, what="the account")
        file.write_text(
            "symbol,side,quantity,order_type,limit_price\nSPY,BUY,5,MKT,\nSPY,BUY,3,LMT,1\n"
        )
        submit = ("submit", str(file), "--key", "by hand", "--wait", "3")
        assert "Dry run: nothing was sent." in orders(*submit).stdout
        assert "There is no batch" in orders("show", "by hand").stdout
        sent = orders(*submit, "--send").stdout
        assert "filled     5 at " in sent
        assert "acked" in sent
        assert "nothing is sent twice" in orders(*submit, "--send").stdout
        assert orders("modify", "by hand", "2", "--limit-price", "2").returncode == 0
        assert "1 cancels asked for" in orders("cancel", "by hand").stdout
        ended = "SELECT count(*) FROM ibkeeper.v_order WHERE batch = 'by hand' AND state = 'done'"
        system.wait_for(lambda: system.value(ended) == 2, within_s=10, what="both changes done")
        file.write_text("symbol,side,quantity\nSPY,BUY,x\n")
        bad = orders("submit", str(file), "--key", "bad", "--send")
        assert bad.returncode == 2
        assert "line 2, column quantity: 'x' is no plain number" in bad.stderr
