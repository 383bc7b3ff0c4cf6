"""Folders are opened for passing through only, and only where it is needed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ibcore.unprivileged import account_for, open_way


def test_the_way_to_the_data_can_be_passed_but_not_listed(tmp_path: Path) -> None:
    closed, programs = tmp_path / "closed", tmp_path / "wheel" / "programs"
    (closed / "home").mkdir(parents=True)
    programs.mkdir(parents=True)
    (programs / "postgres").touch(mode=0o700)
    (programs / "share.txt").touch(mode=0o600)
    closed.chmod(0o700)

    open_way(closed / "home", programs=programs)

    assert _mode(closed) == 0o701
    assert _mode(programs / "postgres") == 0o705
    assert _mode(programs / "share.txt") == 0o604


@pytest.mark.skipif(os.geteuid() == 0, reason="root needs an account, which another test uses")
def test_an_ordinary_user_runs_the_server_as_itself(tmp_path: Path) -> None:
    assert account_for(tmp_path) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs an account")
def test_data_that_is_there_keeps_its_owner(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 12345, 12346)

    assert account_for(data) == (12345, 12346)
    other = account_for(tmp_path / "new")
    assert other is not None
    assert other.uid != 0


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
