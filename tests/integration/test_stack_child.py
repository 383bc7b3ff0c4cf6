"""A supervised process ends when asked, and never outlives whoever started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import psutil
import pytest

from ibcore.stack.child import Child, ChildSpec, group_members
from ibcore.stack.guardian import MARK, Guardian

pytestmark = pytest.mark.anyio

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
WAIT = "print('up', flush=True); import signal; signal.pause()"
GRANDCHILD = (
    "import subprocess, sys; subprocess.Popen([sys.executable, '-c',"
    " 'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()'],"
    " start_new_session={new_session})"
)


@pytest.fixture
def guardian(tmp_path: Path) -> Iterator[Guardian]:
    guardian = Guardian(f"test-{tmp_path}", tmp_path / "guardian.log")
    yield guardian
    guardian.release()
    assert marked(guardian.token) == []


def child(guardian: Guardian, folder: Path, *lines: str, stop_s: float = 5.0) -> Child:
    spec = ChildSpec(
        name="child",
        argv=(sys.executable, "-c", "\n".join((*lines, WAIT))),
        log=folder / "child.log",
        env=dict(os.environ),
        stop_s=stop_s,
    )
    return Child(spec, guardian, anyio.Event())


async def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    with anyio.fail_after(within_s):
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.02)


def marked(token: str) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["environ", "status"])
        if (process.info["environ"] or {}).get(MARK) == token
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


async def started(subject: Child) -> Child:
    subject.start()
    await until(lambda: "up" in subject.tail())
    return subject


async def test_a_child_ends_on_sigterm_and_is_reaped(guardian: Guardian, tmp_path: Path) -> None:
    subject = await started(child(guardian, tmp_path))
    pid = subject.pid
    assert pid is not None
    await subject.stop()
    assert not psutil.pid_exists(pid)
    assert subject.pid is None


async def test_a_child_that_ignores_sigterm_is_killed(guardian: Guardian, tmp_path: Path) -> None:
    subject = await started(child(guardian, tmp_path, STUBBORN, stop_s=0.3))
    pid = subject.pid
    assert pid is not None
    await subject.stop()
    assert not psutil.pid_exists(pid)


async def test_grandchildren_of_the_group_go_too(guardian: Guardian, tmp_path: Path) -> None:
    script = GRANDCHILD.format(new_session=False)
    subject = await started(child(guardian, tmp_path, script, stop_s=0.3))
    pgid = subject.pid
    assert pgid is not None
    assert len(group_members(pgid)) == 2
    await subject.stop()
    assert group_members(pgid) == []


async def test_force_cuts_the_waiting_short(guardian: Guardian, tmp_path: Path) -> None:
    force = anyio.Event()
    subject = Child(child(guardian, tmp_path, STUBBORN, stop_s=60.0).spec, guardian, force)
    await started(subject)
    force.set()
    with anyio.fail_after(10.0):
        await subject.stop()


async def test_a_death_is_told_with_exit_code_and_last_lines(
    guardian: Guardian, tmp_path: Path
) -> None:
    subject = child(guardian, tmp_path, "raise SystemExit('the disk is full')")
    subject.start()
    code = await subject.wait()
    message = str(subject.died(code))
    await subject.stop()
    assert "exit code 1" in message
    assert "the disk is full" in message
    assert str(subject.spec.log) in message


async def test_the_log_of_the_last_run_is_kept(guardian: Guardian, tmp_path: Path) -> None:
    (tmp_path / "child.log").write_text("before\n")
    subject = await started(child(guardian, tmp_path))
    await subject.stop()
    assert (tmp_path / "child.log.1").read_text() == "before\n"
    assert "before" not in (tmp_path / "child.log").read_text()


PARENT = textwrap.dedent(
    """
    import os, sys, anyio
    from pathlib import Path
    from ibcore.stack.child import Child, ChildSpec
    from ibcore.stack.guardian import Guardian

    async def main(folder, *scripts):
        guardian = Guardian(sys.argv[1], folder / "guardian.log")
        for number, script in enumerate(scripts):
            spec = ChildSpec(str(number), (sys.executable, "-c", script),
                             folder / f"{number}.log", dict(os.environ))
            Child(spec, guardian, anyio.Event()).start()
        print("started", guardian.pid, flush=True)
        await anyio.sleep_forever()

    anyio.run(main, Path(sys.argv[2]), *sys.argv[3:])
    """
)


def parent_of(token: str, folder: Path, *scripts: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, token, str(folder), *scripts],
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_nothing_survives_a_killed_parent(tmp_path: Path) -> None:
    token = f"killed-{tmp_path}"
    scripts = (
        WAIT,
        "\n".join((STUBBORN, WAIT)),
        "\n".join((GRANDCHILD.format(new_session=True), WAIT)),
    )
    with parent_of(token, tmp_path, *scripts) as parent:
        assert parent.stdout is not None
        guardian_pid = int(parent.stdout.readline().split()[1])
        await until(lambda: all("up" in log_of(tmp_path, n) for n in range(3)))
        assert len(marked(token)) == 4
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        await until(lambda: not marked(token))
        await until(lambda: not alive(guardian_pid))


def log_of(folder: Path, number: int) -> str:
    log = folder / f"{number}.log"
    return log.read_text() if log.exists() else ""


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
