"""The real writer: it must keep its promise, and the judge must see every loss that is made on purpose."""

import json
import os
import resource
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import score
from score.__main__ import main
from score.scoring import reset
from score.wire import Kind
from tests.unit.score.rig import SECTOR, Rig, direct_io_works, until

MANY, FEW = 20_000, 64
"""Ring sizes in slots: one that is never filled here, one that goes round many times."""

MakeRig = Callable[[Sequence[int]], Rig]


@pytest.fixture(scope="session")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("writer") / "writer"
    subprocess.run([Path(score.__file__).parent / "compile", binary], check=True)
    return binary


@pytest.fixture
def make_rig(writer: Path, tmp_path: Path) -> Iterator[MakeRig]:
    rigs: list[Rig] = []

    def make(slots: Sequence[int]) -> Rig:
        rigs.append(Rig(writer, tmp_path, slots))
        return rigs[-1]

    yield make
    for rig in rigs:
        rig.close()


def running(rig: Rig, records: int = 100) -> Rig:
    rig.boot()
    rig.wait_more(records)
    return rig


@pytest.mark.parametrize("slots", [[MANY], [MANY, MANY], [FEW, 2 * FEW]])
def test_control_nothing_done_nothing_lost(make_rig: MakeRig, slots: list[int]) -> None:
    rig = running(make_rig(slots), records=3 * FEW)
    result = rig.score()
    assert (result.lost, result.unverified, result.holes, result.write_errors) == (0, 0, 0, 0)
    assert result.announced >= 3 * FEW
    assert (result.boots, result.duplicates, result.runs_at_once) == (1, 0, 0)
    assert result.longest_gap_ms is not None
    assert result.longest_gap_ms > 0


@pytest.mark.parametrize("slots", [[MANY], [FEW, FEW]])
def test_control_killed_and_booted_again_nothing_lost(make_rig: MakeRig, slots: list[int]) -> None:
    rig = make_rig(slots)
    for _ in range(4):
        running(rig, records=50).kill()
    running(rig)
    result = rig.score()
    assert (result.lost, result.unverified, result.boots) == (0, 0, 5)


def test_it_resumes_after_its_last_good_record_and_says_so(make_rig: MakeRig) -> None:
    rig = running(make_rig([MANY, MANY]))
    rig.kill()
    before = rig.promised()
    running(rig, records=1)
    boots = [entry.said for entry in rig.said(Kind.BOOT)]
    runs = {said.run for said in boots}
    assert len(runs) == 2
    assert [(said.disk, said.seq, said.holes) for said in boots[:2]] == [(0, 0, 0), (1, 0, 0)]
    assert all(said.seq in (before, before + 1) and said.other == boots[0].run for said in boots[2:])


@pytest.mark.parametrize(
    ("slots", "before", "after"),
    [(MANY, 100, 10), (4 * FEW, 5 * FEW, 10), (4 * FEW, 5 * FEW, 10 * FEW)],
    ids=["blank slots", "slots with older records", "ring went round since"],
)
def test_an_older_copy_put_under_the_running_writer(make_rig: MakeRig, slots: int, before: int, after: int) -> None:
    rig = running(make_rig([slots]), before)
    old = rig.disks[0].read_bytes()
    since = rig.promised()
    rig.wait_more(50)
    until_number = rig.promised()
    rig.restore(0, old)
    rig.wait_more(after)
    result = rig.score()
    assert result.lost is not None
    assert result.lost >= until_number - since - 1  # the copy may hold one that was not announced yet


@pytest.mark.parametrize("disk", [0, 1])
def test_one_record_damaged(make_rig: MakeRig, disk: int) -> None:
    rig = running(make_rig([MANY, MANY]))
    with rig.disks[disk].open("r+b") as file:
        file.seek(17 * SECTOR + 300)
        file.write(b"\xff")
    result = rig.measure().verdicts["web"]
    assert result.score.lost == 1
    assert [set(numbers) for numbers in result.lost.values()] == [{17}]


def test_a_record_of_the_right_number_in_another_place_is_no_record(make_rig: MakeRig) -> None:
    rig = running(make_rig([MANY, MANY]))
    with rig.disks[0].open("r+b") as first, rig.disks[1].open("r+b") as second:
        first.seek(17 * SECTOR)
        second.seek(17 * SECTOR)
        second.write(first.read(SECTOR))
    assert rig.score().lost == 1


def promised_by(rig: Rig, run: int) -> set[int]:
    return {entry.said.seq for entry in rig.said() if entry.said.run == run}


@pytest.mark.parametrize("slots", [[MANY], [MANY, MANY]])
def test_the_last_disk_rolled_back_between_two_boots(make_rig: MakeRig, slots: list[int]) -> None:
    rig = running(make_rig(slots))
    rig.kill()
    old, since = rig.disks[-1].read_bytes(), rig.promised()
    running(rig, records=60).kill()
    lost_run = rig.said()[-1].said.run
    rig.restore(-1, old)
    running(rig, records=200)  # with one disk: the same numbers are used again
    promised = promised_by(rig, lost_run)
    result = rig.measure().verdicts["web"]
    assert result.score.lost == len(promised)
    assert set(result.lost[lost_run]) == promised
    assert min(promised) > since


@pytest.mark.parametrize("behind", [60, 5 * FEW])
def test_a_rolled_back_disk_is_still_known_when_the_ring_went_round(make_rig: MakeRig, behind: int) -> None:
    rig = running(make_rig([4 * FEW, 4 * FEW]), records=5 * FEW)
    rig.kill()
    old = rig.disks[1].read_bytes()
    running(rig, records=behind).kill()
    lost_run = rig.said()[-1].said.run
    rig.restore(1, old)
    running(rig, records=10 * FEW).kill()
    running(rig, records=10)
    promised = promised_by(rig, lost_run)
    assert set(rig.measure().verdicts["web"].lost[lost_run]) == promised
    assert rig.score().lost == len(promised)


def test_an_empty_disk_has_lost_everything(make_rig: MakeRig) -> None:
    rig = running(make_rig([MANY]))
    rig.kill()
    lost_run = rig.said()[-1].said.run
    rig.restore(0, bytes(MANY * SECTOR))
    running(rig, records=5)
    assert rig.score().lost == len(promised_by(rig, lost_run))


def test_reported_losses_are_not_reported_again_new_ones_are(make_rig: MakeRig) -> None:
    rig = running(make_rig([MANY]))
    with rig.disks[0].open("r+b") as file:
        file.seek(17 * SECTOR)
        file.write(bytes(SECTOR))
    reset(rig.spool, rig.measure())
    rig.wait_more(10)
    after = rig.score()
    assert after.lost == 0
    assert after.announced < rig.promised()
    with rig.disks[0].open("r+b") as file:
        file.seek(23 * SECTOR)
        file.write(bytes(SECTOR))
    assert rig.score().lost == 1


def test_a_dead_guest_is_unknown_and_its_outage_counts(make_rig: MakeRig, capsys: pytest.CaptureFixture[str]) -> None:
    rig = running(make_rig([MANY]))
    rig.kill()
    reset(rig.spool)

    def told() -> dict[str, float | None]:
        assert main([*rig.command(), "--deadline", "0.1", "--json"]) == 3
        score: dict[str, float | None] = json.loads(capsys.readouterr().out)["web"]
        return score

    first, second = told(), told()
    assert (first["announced"], first["lost"]) == (0, None)
    assert (first["unverified"] or 0) >= 100
    assert (second["longest_gap_ms"] or 0) >= (first["longest_gap_ms"] or 0) + 100


def test_failed_writes_are_announced_and_never_promised(make_rig: MakeRig) -> None:
    rig = running(make_rig([MANY, MANY]), records=10)
    rig.limit_writes(10 * SECTOR)
    until(lambda: len(rig.said(Kind.ERROR)) >= 5, "errors")
    stuck = {entry.said.seq for entry in rig.said(Kind.ERROR)}
    assert len(stuck) == 1
    assert rig.promised() == min(stuck) - 1
    rig.limit_writes(resource.RLIM_INFINITY)
    rig.wait_more(10)
    result = rig.score()
    assert result.lost == 0
    assert result.write_errors >= 5


def test_an_audit_of_a_full_ring_does_not_stop_the_writing(make_rig: MakeRig) -> None:
    rig = running(make_rig([MANY]))
    before = rig.promised()
    while rig.promised() < before + 100:
        assert rig.score().lost == 0


def test_writes_go_to_stable_storage_past_the_page_cache(make_rig: MakeRig, tmp_path: Path) -> None:
    rig = running(make_rig([MANY, MANY]), records=1)
    wanted = os.O_SYNC | (os.O_DIRECT if direct_io_works(tmp_path) else 0)
    assert [flags & wanted for flags in rig.open_flags()] == [wanted, wanted]


def test_the_memory_dirtier_does_not_disturb(make_rig: MakeRig) -> None:
    rig = make_rig([MANY])
    rig.boot("--dirty-mib-s", "64", "--dirty-mib", "4")
    rig.wait_more(50)
    assert rig.score().lost == 0


def test_command_line(make_rig: MakeRig, capsys: pytest.CaptureFixture[str]) -> None:
    rig = running(make_rig([MANY]))
    assert main([*rig.command(), "--json", "--reset"]) == 0
    told = json.loads(capsys.readouterr().out)["web"]
    assert told["lost"] == 0
    assert told["announced"] >= 100
    assert told["longest_gap_ms"] > 0
    rig.restore(0, bytes(MANY * SECTOR))
    assert main(rig.command()) == 1
    assert "lost " in capsys.readouterr().out


def test_command_line_of_a_spool_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "boot_id").write_text("another")
    assert main(["reset", "--spool", str(tmp_path)]) == 2
    assert "new directory" in capsys.readouterr().err
