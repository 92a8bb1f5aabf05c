"""One worker has the lab: two labs on two cores make hosts look dead."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]


def test_all_tests_below_tests_lab_go_to_one_worker_and_begin_first(tmp_path: Path) -> None:
    """By xdist itself: its own groups did nothing, and nothing noticed."""
    for part in ("lab", "unit"):
        (tmp_path / "tests" / part).mkdir(parents=True)
        (tmp_path / "tests" / part / f"test_{part}.py").write_text(
            "import os, pathlib, pytest\n"
            "@pytest.mark.parametrize('number', range(6))\n"
            "def test_it(number):\n"
            f"    with open({str(tmp_path / 'ran')!r}, 'a') as ran:\n"
            f"        ran.write('{part} ' + os.environ['PYTEST_XDIST_WORKER'] + '\\n')\n"
        )
    (tmp_path / "tests" / "conftest.py").symlink_to(REPOSITORY / "tests" / "conftest.py")
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "2", "--rootdir", ".", "tests/unit", "tests/lab"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=100,
    )
    ran = [line.split() for line in (tmp_path / "ran").read_text().splitlines()]
    assert len(ran) == 12
    (worker,) = {worker for part, worker in ran if part == "lab"}
    # Which worker is up first is the machine's affair: on a loaded one the other had run two tests by then.
    assert [part for part, its in ran if its == worker][:6] == ["lab"] * 6
