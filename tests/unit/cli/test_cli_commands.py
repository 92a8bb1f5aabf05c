"""Each command, for people and for programs: exit codes, where the words go, and that a look touches nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dualsrm.engine.journal import interrupted
from dualsrm.errors import ExitCode
from dualsrm.model import LockHolder
from tests.simulator.pair import Fault, ManagerCrash, Phase, Script, SimPair
from tests.simulator.pair.state import Manners
from tests.unit.cli.running import Program


def nothing_was_touched(pair: SimPair) -> bool:
    return not pair.changed_anything()


# --- status -------------------------------------------------------------------------------------------------------


def test_status_of_a_healthy_pair(program: Program, pair: SimPair) -> None:
    ran = program("status")
    assert ran.code == ExitCode.OK
    assert "web" in ran.out
    assert "Connected, UpToDate" in ran.out
    assert nothing_was_touched(pair)


def test_status_is_nonzero_when_a_guest_could_not_move(program: Program, pair: SimPair) -> None:
    pair.cut_link("web")
    ran = program("status")
    assert ran.code == ExitCode.REFUSED
    document = program("status", "--json").document
    assert not document["healthy"]
    ready = {guest["guest"]: guest["ready_to_migrate"] for guest in document["pairs"][0]["guests"]}
    assert ready == {"db": True, "web": False}


def test_status_of_a_guest_that_is_off_says_what_it_left_and_what_starts_it(program: Program, pair: SimPair) -> None:
    pair.libvirt.guest_shuts_down("web")
    said = program("status").out
    assert "web is shut off, Primary on alpha all the same: dualsrm start -- web; dualsrm stop -- web" in said
    program("stop", "web")
    assert "web is shut off, Secondary on both hosts: dualsrm start -- web" in program("status").out


def test_status_of_a_silent_host_says_unknown_and_never_fine(program: Program, pair: SimPair) -> None:
    pair.isolate("beta")
    ran = program("status", "--json")
    assert ran.code == ExitCode.REFUSED
    (seen,) = ran.document["pairs"]
    assert [host["host"] for host in seen["hosts"] if host["trouble"]] == ["beta"]
    assert all(guest["states"]["beta"] == "unknown" for guest in seen["guests"])
    assert not any(guest["ready_to_migrate"] for guest in seen["guests"])
    assert seen["hosts"][1]["silent"] is True
    assert seen["hosts"][0]["silent"] is False


def test_status_of_a_lost_host_says_that_and_what_next_and_not_forty_lines_more(
    program: Program, pair: SimPair
) -> None:
    """Seen on the lab: 40 lines, `drbdadm adjust` on the dead host among the advice, and four doubtful windows."""
    pair.isolate("beta")
    said = program("status").out.split("┘")[-1] + program("status").out.split("┏")[0]
    assert "does not answer" in said
    assert "if beta is lost: dualsrm failover --all --to alpha --dry-run" in said
    assert not [words for words in ("not known", "adjust", "two Primaries") if words in said]


# --- check --------------------------------------------------------------------------------------------------------


def test_check_of_a_guest_that_could_move(program: Program, pair: SimPair) -> None:
    assert program("check", "web").code == ExitCode.OK
    document = program("check", "web", "--json").document
    assert (document["ready"], document["source"], document["target"]) == (True, "alpha", "beta")
    assert nothing_was_touched(pair)


def test_check_that_does_not_pass_says_seen_why_and_fix(program: Program, pair: SimPair) -> None:
    pair.cut_link("web")
    ran = program("check", "web")
    assert ran.code == ExitCode.REFUSED
    assert "why:" in ran.out
    assert "fix:" in ran.out
    assert "not ready" in ran.out
    document = program("check", "web", "--json").document
    assert not document["ready"]
    assert any(finding["severity"] == "failed" for finding in document["findings"])


def test_verbose_shows_what_passes(program: Program) -> None:
    assert len(program("check", "web", "-v").out) > len(program("check", "web").out)


# --- migrate ------------------------------------------------------------------------------------------------------


def test_migrate(program: Program, pair: SimPair) -> None:
    ran = program("migrate", "web")
    assert ran.code == ExitCode.OK
    assert pair.running_on("web") == ("beta",)
    assert "web: moved (alpha -> beta)" in ran.out
    assert "outage about 300 ms" in ran.out
    assert "[1/9] arm" in ran.err
    assert "[1/9]" not in ran.out


def test_migrate_for_programs(program: Program) -> None:
    ran = program("migrate", "web", "--json")
    assert ran.code == ExitCode.OK
    result = ran.document["result"]
    assert (result["state"], result["exit_code"], result["target"]) == ("moved", 0, "beta")
    assert "[1/9] arm" in ran.err


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_dry_run_touches_nothing(program: Program, pair: SimPair, tmp_path: Path, as_json: tuple[str, ...]) -> None:
    ran = program("migrate", "web", "--dry-run", *as_json)
    assert ran.code == ExitCode.OK
    assert nothing_was_touched(pair)
    assert not (tmp_path / "state").exists()
    assert "promote web on beta" in ran.out
    if as_json:
        names = [step["name"] for step in ran.document["plan"]]
        assert names[:4] == ["arm", "open window", "promote", "migrate"]
        assert ran.document["result"] is None


def test_a_move_the_checks_refuse_touches_nothing(program: Program, pair: SimPair, tmp_path: Path) -> None:
    pair.cut_link("web")
    for arguments in (("migrate", "web"), ("migrate", "web", "--dry-run"), ("migrate", "web", "--json")):
        ran = program(*arguments)
        assert ran.code == ExitCode.REFUSED
    assert ran.document["refused"]
    assert ran.document["plan"] == []
    assert nothing_was_touched(pair)
    assert not interrupted(tmp_path / "state", pair.pair.name)


@pytest.mark.parametrize(
    ("script", "code", "state"),
    [
        (Script(fail_at=Phase.COPYING), ExitCode.ROLLED_BACK, "rolled back"),
        (Script(stuck_in_handover=True), ExitCode.IN_DOUBT, "in doubt"),
    ],
)
def test_a_move_that_fails_has_its_own_exit_code(
    program: Program, pair: SimPair, script: Script, code: ExitCode, state: str
) -> None:
    pair.script = script
    ran = program("migrate", "web", "--json")
    assert ran.code == code
    result = ran.document["result"]
    assert (result["state"], result["exit_code"]) == (state, code)
    assert result["seen"]
    assert result["fix"]


def test_a_move_that_fails_says_seen_and_fix(program: Program, pair: SimPair) -> None:
    pair.faults.append(Fault("error", "promote"))
    ran = program("migrate", "web")
    assert ran.code == ExitCode.ROLLED_BACK
    assert "web: rolled back" in ran.out
    assert "seen: promote:" in ran.out
    assert "fix:" in ran.out
    assert "FAILED" in ran.err


# --- recover ------------------------------------------------------------------------------------------------------


def test_stop_and_start(program: Program, pair: SimPair) -> None:
    stopped = program("stop", "web")
    assert stopped.code == ExitCode.OK
    assert "web: stopped" in stopped.out
    assert not pair.running_on("web")
    started = program("start", "web", "--on", "beta", "--json")
    assert started.code == ExitCode.OK
    assert started.document["result"]["state"] == "started"
    assert pair.running_on("web") == ("beta",)


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_dry_run_of_stop_and_start_touches_nothing(program: Program, pair: SimPair, as_json: tuple[str, ...]) -> None:
    ran = program("stop", "web", "--dry-run", *as_json)
    assert "shut web down on alpha" in ran.out
    assert nothing_was_touched(pair)
    pair.libvirt.guest_shuts_down("web")
    ran = program("start", "web", "--dry-run", *as_json)
    assert "start web on alpha" in ran.out
    assert nothing_was_touched(pair)


def test_a_guest_that_does_not_stop_has_its_own_exit_code(program: Program, pair: SimPair) -> None:
    pair.libvirt.guests["web"].manners = Manners(acpi=False)
    ran = program("stop", "web", "--deadline", "20")
    assert ran.code == ExitCode.NEEDS_ATTENTION
    assert "a QEMU of web is on alpha 20 s after it was asked to shut down" in ran.out
    assert "fix: " in ran.out


def test_a_start_that_is_refused_says_why_and_touches_nothing(program: Program, pair: SimPair) -> None:
    ran = program("start", "web", "--on", "beta")
    assert ran.code == ExitCode.REFUSED
    assert "It would run twice." in ran.out
    assert nothing_was_touched(pair)
    assert program("start", "web", "--on", "gamma").code == ExitCode.USAGE


def test_recover_with_nothing_to_do(program: Program) -> None:
    ran = program("recover")
    assert (ran.code, ran.out) == (ExitCode.OK, "lab: nothing to do\n")


def _interrupt(program: Program, pair: SimPair) -> None:
    pair.faults.append(Fault("crash_after", "promote"))
    with pytest.raises(ManagerCrash):
        program("migrate", "web")
    pair.faults.clear()
    pair.restart_manager()


def test_status_says_once_what_stands_in_the_way_of_every_guest(program: Program, pair: SimPair) -> None:
    """Seen on the lab: a killed manager's lock was named twice for each of three guests, twelve lines of one fact."""
    _interrupt(program, pair)
    said = program("status").out
    assert said.count("  fix: wait until it ends; if it died: dualsrm recover") == 1, said
    assert "db, web: " in said.replace("\n", " ") or "web, db: " in said.replace("\n", " "), said


def test_recover_after_a_killed_manager(program: Program, pair: SimPair) -> None:
    _interrupt(program, pair)
    assert program("status").code == ExitCode.REFUSED
    ran = program("recover", "--json")
    assert ran.code == ExitCode.OK
    (report,) = ran.document["pairs"]
    assert (report["settled"], report["refused"], report["failed"]) == (["web"], [], [])
    assert program("status").code == ExitCode.OK


def test_recover_says_which_operations_it_ended_even_where_nothing_was_left_to_settle(
    program: Program, pair: SimPair
) -> None:
    """Seen on the lab: a killed `reprotect` was ended, its lock released, and the operator told of nothing."""
    pair.faults.append(Fault("crash_before", "demote"))
    with pytest.raises(ManagerCrash):
        program("stop", "web")
    pair.faults.clear()
    pair.restart_manager()
    ran = program("recover")
    assert "-stop-" in ran.out, ran.out
    assert "was interrupted; it is over now" in ran.out
    assert program("recover").out == "lab: nothing to do\n"


def test_recover_says_what_it_did_not_touch(program: Program, pair: SimPair) -> None:
    pair.script = Script(stuck_in_handover=True)
    program("migrate", "web")
    ran = program("recover")
    assert ran.code == ExitCode.IN_DOUBT
    assert "web: not touched:" in ran.out
    (report,) = program("recover", "--json").document["pairs"]
    assert report["refused"][0]["guest"] == "web"


def test_take_over(program: Program, pair: SimPair) -> None:
    for machine in pair.machines.values():
        machine.locks["lab"] = LockHolder("theirs", "elsewhere", "2026-11-22T09:00:00+00:00")
    refused = program("recover")
    assert refused.code == ExitCode.REFUSED
    assert "--take-over" in refused.err
    assert program("recover", "--take-over").code == ExitCode.OK


# --- errors -------------------------------------------------------------------------------------------------------

COMMANDS = [("status",), ("check", "web"), ("migrate", "web"), ("recover",)]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("text", [None, "nonsense", "[hosts.alpha]\n", "\x00\x1b[31m = 1", b"\xff\xfe"])
def test_a_wrong_configuration_is_exit_code_2(
    program: Program, tmp_path: Path, command: tuple[str, ...], text: str | bytes | None
) -> None:
    path = tmp_path / "other.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
    ran = program(*command, path=path)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert ran.err.startswith("error:")
    assert "\x1b" not in ran.err
    as_json = program(*command, "--json", path=path)
    assert as_json.code == ExitCode.USAGE
    assert as_json.document["kind"] == "error"
    assert as_json.document["error"]["exit_code"] == ExitCode.USAGE


@pytest.mark.parametrize("command", ["check", "migrate", "stop", "start"])
def test_a_guest_nobody_knows(program: Program, command: str) -> None:
    ran = program(command, "ghost")
    assert ran.code == ExitCode.USAGE
    assert "ghost" in ran.err
    assert program(command, "ghost", "--json").document["error"]["exit_code"] == ExitCode.USAGE


def test_a_host_of_no_pair(program: Program) -> None:
    assert program("migrate", "web", "--to", "gamma").code == ExitCode.USAGE


@pytest.mark.parametrize("command", [("check", "web"), ("migrate", "web"), ("recover",)], ids=" ".join)
def test_both_hosts_silent(program: Program, pair: SimPair, command: tuple[str, ...]) -> None:
    pair.isolate("alpha")
    pair.isolate("beta")
    ran = program(*command)
    assert ran.code == ExitCode.UNREACHABLE
    document = program(*command, "--json").document
    (error,) = document["errors"] if command == ("recover",) else [document["error"]]
    assert error["exit_code"] == ExitCode.UNREACHABLE
    assert nothing_was_touched(pair)


@pytest.mark.parametrize(
    "arguments", [("migrate",), ("nonsense",), ("migrate", "web", "--nonsense"), ("check", "a", "b")]
)
def test_a_wrong_command_line(program: Program, arguments: tuple[str, ...]) -> None:
    ran = program(*arguments)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert "Usage:" in ran.err or "Error" in ran.err


def test_help_needs_no_configuration(program: Program, tmp_path: Path) -> None:
    for arguments in (("--help",), ("migrate", "--help"), ("--version",)):
        assert program(*arguments, path=tmp_path / "none").code == ExitCode.OK


def test_a_journal_that_cannot_be_written_refuses(program: Program, pair: SimPair, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "operations").write_text("in the way")
    ran = program("migrate", "web")
    assert ran.code == ExitCode.REFUSED
    assert "journal" in ran.err
    assert nothing_was_touched(pair)


@pytest.mark.parametrize("command", [("status",), ("check", "web"), ("recover",)], ids=" ".join)
def test_a_journal_that_cannot_be_read_is_not_taken_for_an_empty_one(
    program: Program, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "operations").write_text("in the way")
    ran = program(*command)
    assert ran.code == ExitCode.REFUSED
    assert "journal" in ran.err


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_fault_of_dualsrm_itself_is_not_a_refusal(program: Program, pair: SimPair, as_json: tuple[str, ...]) -> None:
    """Python's own exit code for a traceback is 1, which promises that nothing was touched."""

    def bug() -> None:
        raise ZeroDivisionError("a bug \x1b[31m")

    pair.before_call("demote", bug)
    ran = program("migrate", "web", *as_json)
    assert ran.code == ExitCode.INTERNAL
    assert "dualsrm recover" in ran.out + ran.err
    assert "\x1b" not in ran.out + ran.err
    if as_json:
        assert ran.document["error"]["exit_code"] == ExitCode.INTERNAL


def test_a_terminal_that_goes_away_does_not_stop_a_move(
    program: Program, pair: SimPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's connection drops: every write to standard error fails, and the window must close all the same."""

    def gone(*_arguments: object, **_options: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("dualsrm.cli.progress.click.echo", lambda *a, **k: gone() if k.get("err") else print(*a))
    ran = program("migrate", "web", "--json")
    assert ran.code == ExitCode.OK
    assert json.loads(ran.out)["result"]["state"] == "moved"


def test_a_report_nobody_can_read_keeps_its_exit_code(
    program: Program, pair: SimPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dualsrm migrate web | head -0`: a broken pipe must not turn `in doubt` into `refused, nothing touched`."""

    def gone(*_arguments: object, **_options: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    pair.script = Script(stuck_in_handover=True)
    monkeypatch.setattr("dualsrm.cli.operation.print_end", gone)
    assert program("migrate", "web").code == ExitCode.IN_DOUBT
