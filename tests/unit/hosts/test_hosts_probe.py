"""The probe: the script on this very machine, its parser against whatever a host may print."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.errors import CommandFailed
from dualsrm.hosts.drbd import Dialect
from dualsrm.hosts.probe import (
    Probe,
    Scope,
    Section,
    available_memory_of,
    certificates_of,
    drbd_of,
    parse_sections,
    probe,
    system_of,
)
from dualsrm.hosts.scripts import script_argv
from dualsrm.hosts.ssh import SshConnection
from dualsrm.hosts.survey import survey_of
from dualsrm.model import Certificates, DrbdView, FenceHandler, HostAddress, Quarantine, SystemView, Unknown
from tests.unit.drbd.captures import capture

SCRIPTS = Path(__file__).parents[3] / "dualsrm" / "hosts" / "scripts"
NONCE = "0123456789abcdef"


def section(name: str, text: str, status: int = 0) -> str:
    return f"{NONCE} begin {name}\n{text}\n{NONCE} end {status}\n"


def test_every_script_passes_shellcheck() -> None:
    if shutil.which("shellcheck") is None:
        pytest.fail("shellcheck is not installed; tests/run installs it")
    subprocess.run(["shellcheck", *map(str, sorted(SCRIPTS.glob("*.sh")))], check=True)


def test_this_machine_over_ssh(ssh: SshConnection) -> None:
    answer = probe(ssh)
    system = system_of(answer)
    assert isinstance(system, SystemView)
    assert "lo" in system.interfaces
    assert abs(system.clock_offset_seconds) < 1
    memory = available_memory_of(answer)
    assert isinstance(memory, int)
    assert memory > 2**20
    if not Path("/proc/drbd").exists():
        assert drbd_of(answer) == Unknown("DRBD's kernel module is not loaded (no /proc/drbd)")


def test_looking_never_loads_the_module() -> None:
    functions, main = re.sub("#.*", "", (SCRIPTS / "probe.sh").read_text()).split("\nsection clock_start")
    runs_drbd = [text for text in functions.split("\n}\n") if re.search(r"drbd(adm|setup) ", text)]
    assert ["configured() {" in text for text in runs_drbd] == [True]
    unguarded = re.sub(r"^( *)if \[\[ -e /proc/drbd \]\]; then$.*?^\1fi$", "", main, flags=re.MULTILINE | re.DOTALL)
    assert unguarded.count("section") < main.count("section")
    assert not re.search("drbd|configured", unguarded)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.tuples(st.text(), st.integers(0, 255))))
def test_sections_come_back_as_they_were(sections: dict[str, tuple[str, int]]) -> None:
    text = "".join(section(name, body, status) for name, (body, status) in sections.items())
    assert parse_sections(NONCE, text, "") == {
        name: Section(status, body, "") for name, (body, status) in sections.items()
    }


@pytest.mark.timeout(10)
@pytest.mark.parametrize("text", [f"{NONCE} begin x\n" * 300_000, section("x", "", int("9" * 4000))])
def test_a_host_that_abuses_the_nonce_can_neither_hold_us_up_nor_make_us_fail(text: str) -> None:
    assert parse_sections(NONCE, text, "") == {}


def test_forged_marks_are_text() -> None:
    body = "deadbeef begin show\nforged\n\ndeadbeef end 0"
    assert parse_sections(NONCE, section("show", body), section("show", "warned")) == {
        "show": Section(0, body, "warned")
    }


def test_a_section_cut_off_is_none() -> None:
    assert parse_sections(NONCE, section("a", "x") + f"{NONCE} begin b\nhalf", "") == {"a": Section(0, "x", "")}


def test_a_probe_that_breaks_off_is_no_answer(ssh: SshConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dualsrm.hosts.probe.script_argv", lambda *_: ["sh", "-c", "echo broken >&2; exit 7"])
    with pytest.raises(CommandFailed, match=r"exit 7.*broken"):
        probe(ssh)


def function_of(name: str) -> str:
    """One function of the script, as it stands there."""
    script = (SCRIPTS / "probe.sh").read_text()
    begin = script.index(f"\n{name}() {{") + 1
    return script[begin : script.index("\n}\n", begin) + 3]


def printed_by(name: str, root: Path) -> list[str]:
    """The lines that a function of the script prints on a host whose /etc is below this directory."""
    function = function_of(name).replace("/etc", f"{root}/etc")
    done = subprocess.run(["bash", "-c", f"{function}{name}"], capture_output=True, text=True, check=True)
    return done.stdout.replace(str(root), "").splitlines()


def kept_of(dump: str, tmp_path: Path, status: int = 0) -> tuple[str, str, int]:
    """What the script's own `configured` makes of a dump: standard output, standard error, exit status."""
    (tmp_path / "dump").write_text(dump)
    function = function_of("configured")
    print_it = f"cat {shlex.quote(str(tmp_path / 'dump'))}; echo 'but got hunter2' >&2; return {status}"
    fake = f'drbdadm() {{ [[ "$1 $2 $3" == "-v dump all" ]] && {print_it}; }}'
    done = subprocess.run(["bash", "-c", f"{fake}\n{function}configured"], capture_output=True, text=True, check=False)
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize("dialect", list(Dialect))
def test_of_drbds_files_only_names_and_handlers_leave_the_host(dialect: Dialect, tmp_path: Path) -> None:
    program = tmp_path / "word"
    program.touch(mode=0o755)
    dump = capture(dialect, "90-handlers.alpha.dump").replace("/bin/word", str(program))
    assert "hunter" in dump
    kept, errors, status = kept_of(dump, tmp_path)
    assert (errors, status) == ("", 0)
    ours = ["resource a {", 'fence-peer "/usr/sbin/dualsrm-host fence-peer"']
    theirs = ["resource b {", 'fence-peer "/bin/o\'b \\"x\\" $HOME \\\\ z"']
    assert kept.splitlines() == [*ours, *theirs, 'resource "c d" {', f"fence-peer {program}", "runnable"]


def test_what_drbdadm_says_of_files_it_cannot_read_stays_on_the_host(tmp_path: Path) -> None:
    assert kept_of("resource a {\n    net {\n", tmp_path, status=10) == ("", "", 10)


@pytest.mark.parametrize("what", ["a directory", "not executable", "absent"])
def test_a_program_that_is_none_is_not_runnable(what: str, tmp_path: Path) -> None:
    program = tmp_path / "dualsrm-host"
    if what == "a directory":
        program.mkdir()
    elif what == "not executable":
        program.touch(mode=0o644)
    head = "# resource a on alpha: not ignored, not stacked\nresource a {\n    handlers {\n"
    kept, _, _ = kept_of(f'{head}        fence-peer       "{program} fence-peer";\n', tmp_path)
    assert kept == f'resource a {{\nfence-peer "{program} fence-peer"\n'


def drbd_probe(**sections: Section) -> Probe:
    return Probe(sections, 0.0)


def test_a_tool_that_fails_is_unknown_with_its_words() -> None:
    answer = drbd_probe(proc_drbd=Section(0, "version: 8.4.11", ""), events2=Section(20, "", "no\x1b[2J way\n"))
    assert drbd_of(answer) == Unknown("`drbdsetup events2 --now --statistics` ended with 20: no [2J way")


def test_handlers_and_who_runs_them_come_with_the_view() -> None:
    files = 'resource web {\nfence-peer "/usr/sbin/dualsrm-host fence-peer"\nrunnable\nresource mail {\n'
    seen = drbd_of(
        drbd_probe(
            proc_drbd=Section(0, "version: 8.4.11", ""),
            events2=Section(0, "exists -\n", ""),
            configured=Section(0, files, ""),
            helper=Section(0, "/sbin/drbdadm\n", ""),
        )
    )
    assert isinstance(seen, DrbdView)
    assert seen.configured == ("web", "mail")
    assert seen.handlers == {"web": FenceHandler("/usr/sbin/dualsrm-host fence-peer", runnable=True)}
    assert seen.helper == "/sbin/drbdadm"


def test_a_dump_that_makes_no_sense_is_unknown() -> None:
    answer = drbd_probe(proc_drbd=Section(0, "version: 8.4.11", ""), events2=Section(0, "nonsense", ""))
    assert isinstance(drbd_of(answer), Unknown)


@pytest.mark.parametrize("reading", ["", "soon", "1e9", "-1.0", "9" * 30 + ".0", "nan"])
def test_a_clock_that_makes_no_sense_is_unknown(
    ssh: SshConnection, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    printed = section("clock_start", reading) + section("interfaces", "lo") + section("managers", "")
    printed = (printed + section("complete", "")).replace(NONCE, "$1")
    script = f'printf "%s" "{printed}"'
    monkeypatch.setattr(
        "dualsrm.hosts.probe.script_argv", lambda _name, nonce, _scope: ["sh", "-c", script, "x", nonce]
    )
    assert isinstance(system_of(probe(ssh)), Unknown)


def test_other_managers_are_named() -> None:
    answer = drbd_probe(
        interfaces=Section(0, "lo\nbr0\n", ""),
        managers=Section(0, "pacemaker\nlibvirt hook /a\n", ""),
        quarantined=Section(0, "", ""),
        certificates=Section(0, "/etc/pki/qemu\n", ""),
    )
    assert system_of(answer) == SystemView(
        frozenset({"lo", "br0"}), 0.0, ("pacemaker", "libvirt hook /a"), Certificates("/etc/pki/qemu", ())
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/etc/pki/qemu\n", Certificates("/etc/pki/qemu", ())),
        (
            "/etc/pki/qemu\nca-cert.pem\nser\033ver-key.pem\n",
            Certificates("/etc/pki/qemu", ("ca-cert.pem", "ser ver-key.pem")),
        ),
    ],
)
def test_certificates_are_read(text: str, expected: Certificates) -> None:
    assert certificates_of(drbd_probe(certificates=Section(0, text, ""))) == expected


SERVER, CLIENT = ("ca-cert.pem", "server-cert.pem", "server-key.pem"), ("client-cert.pem", "client-key.pem")


@pytest.mark.parametrize(
    ("conf", "there", "expected"),
    [
        ("", (), ["/etc/pki/qemu", *SERVER, *CLIENT]),
        ("", (*SERVER, *CLIENT), ["/etc/pki/qemu"]),
        ("", SERVER, ["/etc/pki/qemu", *CLIENT]),
        ("#default_tls_x509_verify = 0\n", SERVER, ["/etc/pki/qemu", *CLIENT]),
        ("default_tls_x509_verify = 0\n", SERVER, ["/etc/pki/qemu"]),
        ("default_tls_x509_verify=0\nmigrate_tls_x509_verify = 1\n", SERVER, ["/etc/pki/qemu", *CLIENT]),
        ("migrate_tls_x509_verify = 0\n", (), ["/etc/pki/qemu", *SERVER]),
        ('migrate_tls_x509_cert_dir = "/etc/mine"\n', SERVER, ["/etc/mine", *SERVER, *CLIENT]),
    ],
)
def test_which_certificates_are_missing_is_read_as_libvirt_would(
    tmp_path: Path, conf: str, there: tuple[str, ...], expected: list[str]
) -> None:
    """The names and the defaults as Debian 12's qemu.conf explains them."""
    (tmp_path / "etc/pki/qemu").mkdir(parents=True)
    (tmp_path / "etc/libvirt").mkdir()
    (tmp_path / "etc/libvirt/qemu.conf").write_text(conf.replace('"/etc', f'"{tmp_path}/etc'))
    for name in there:
        (tmp_path / "etc/pki/qemu" / name).touch()
    assert printed_by("certificates", tmp_path) == expected


def test_what_is_mounted_at_boot_is_read_from_fstab_and_from_what_is_wanted(tmp_path: Path) -> None:
    wants = tmp_path / "etc/systemd/system/remote-fs.target.wants"
    wants.mkdir(parents=True)
    (wants / "srv-files.mount").symlink_to("/nowhere")
    (wants / "other.service").touch()
    (tmp_path / "etc/fstab").write_text(
        "# a comment\n\n/dev/drbd3 /srv ext4 noauto 0 0\n/dev/drbd4 /x xfs defaults 0 0"
    )
    found = printed_by("boot", tmp_path)
    assert [line for line in found if line.startswith("fstab")] == [
        "fstab /dev/drbd3 /srv ext4 noauto 0 0",
        "fstab /dev/drbd4 /x xfs defaults 0 0",
    ]
    assert "unit srv-files.mount" in found
    assert "unit other.service" not in found


def test_a_full_probe_of_this_machine_has_them(ssh: SshConnection) -> None:
    system = system_of(probe(ssh, Scope.ALL))
    assert isinstance(system, SystemView)
    assert isinstance(system.certificates, Certificates)


@pytest.mark.parametrize("text", ["", "nonsense\n"])
def test_no_directory_is_no_answer_about_certificates(text: str) -> None:
    assert isinstance(certificates_of(drbd_probe(certificates=Section(0, text, ""))), Unknown)


def test_who_is_in_quarantine_is_read_also_from_a_torn_record() -> None:
    text = 'beta.json\t{"since": "2026", "operation": "op1"}\n\nga%2Fmma.json\t{"si\n'
    answer = drbd_probe(
        interfaces=Section(0, "lo\n", ""), managers=Section(0, "", ""), quarantined=Section(0, text, "")
    )
    seen = system_of(answer)
    assert isinstance(seen, SystemView)
    assert seen.quarantined == (Quarantine("beta", "2026", "op1"), Quarantine("ga/mma", "", ""))
    nobody = drbd_probe(interfaces=Section(0, "lo\n", ""), managers=Section(0, "", ""))
    assert isinstance(system_of(nobody), Unknown), "not asked is not none"


def test_the_probe_is_cheap() -> None:
    started = time.monotonic()
    subprocess.run(script_argv("probe", NONCE, "all"), capture_output=True, check=True)
    assert time.monotonic() - started < 5


# --- the survey -------------------------------------------------------------------------------------


def answer(**texts: str) -> Probe:
    return Probe({name: Section(0, text, "") for name, text in texts.items()}, 0.0)


IP = (
    "2: eth0    inet 192.0.2.11/24 brd 192.0.2.255 scope global eth0\\       valid_lft forever preferred_lft forever\n"
    "3: veth1@if5    inet6 2001:db8::11/64 scope global \\       valid_lft forever preferred_lft forever\n"
    "4: tun0    inet 10.8.0.1 peer 10.8.0.2/32 scope global tun0\\       valid_lft forever\n"
    "5: eth9    inet 192.0.2.999/24 scope global eth9\n"
)


def test_a_survey_is_read() -> None:
    found = survey_of(
        answer(
            name="alpha\n",
            addresses=IP,
            reached="192.0.2.1 40000 192.0.2.11 22\n",
            bridges="br0\nvirbr0\n",
        ),
        "alpha",
    )
    assert (found.name, found.reached_at, found.bridges) == ("alpha", "192.0.2.11", ("br0", "virbr0"))
    assert found.addresses == (HostAddress("eth0", "192.0.2.11/24"), HostAddress("veth1", "2001:db8::11/64"))


def test_a_survey_without_name_or_addresses_is_none() -> None:
    for given_up in ("name", "addresses"):
        texts = {key: text for key, text in {"name": "alpha", "addresses": IP}.items() if key != given_up}
        with pytest.raises(CommandFailed, match="does not say who it is"):
            survey_of(answer(**texts), "alpha")


def test_what_else_a_survey_lacks_is_unknown() -> None:
    found = survey_of(answer(name="alpha", addresses=""), "alpha")
    assert (found.addresses, found.reached_at) == ((), None)
    assert isinstance(found.bridges, Unknown)


@given(st.text())
def test_no_text_of_a_host_makes_it_fail_or_holds_a_control_character(text: str) -> None:
    found = survey_of(answer(name=text, addresses=text, reached=text, bridges=text), "alpha")
    assert found.name.isprintable()
    assert not isinstance(found.bridges, Unknown)
    assert all(word.isprintable() for word in found.bridges)


def test_a_survey_of_this_machine_over_ssh(ssh: SshConnection) -> None:
    done = probe(ssh, Scope.SURVEY)
    assert "proc_drbd" not in done.sections
    found = survey_of(done, "here")
    assert found.name == os.uname().nodename
    assert found.reached_at == "127.0.0.1"
    assert not isinstance(found.bridges, Unknown)
