"""The Debian packages in a bare Debian: installed, used, upgraded, removed, purged. One story, in this order.

Needs root, Debian's mirrors and Python's index, and a few minutes: `tests/run debian`.
"""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

import pytest

from dualsrm import __version__
from tests.debian.chroot import CALL_DEADLINE_S, INSTALL_DEADLINE_S, Root, bootstrap

REPOSITORY = Path(__file__).parents[2]
NAMES = ("dualsrm-common", "dualsrm-host", "dualsrm-exporter", "dualsrm")
PROGRAMS = tuple(tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["scripts"])
RECORD = "run/dualsrm/windows/operation/window.json"
EXAMPLE = "/usr/share/dualsrm/examples/dualsrm.toml"
OWN_FILE = "etc/dualsrm/host.toml"

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("built")
    subprocess.run([REPOSITORY / "debian" / "build", out], check=True, timeout=INSTALL_DEADLINE_S)
    return {path.name.partition("_")[0]: path for path in out.glob("*.deb")}


@pytest.fixture(scope="module")
def newer(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same under a higher version."""
    return {name: _renumbered(path, tmp_path_factory.mktemp(name)) for name, path in built.items()}


def _renumbered(package: Path, work: Path) -> Path:
    subprocess.run(["dpkg-deb", "--raw-extract", package, work / "it"], check=True, timeout=CALL_DEADLINE_S)
    control = work / "it" / "DEBIAN" / "control"
    version = package.name.split("_")[1]
    control.write_text(control.read_text().replace(version, f"{version}+1"))
    made = work / package.name.replace(version, f"{version}+1")
    subprocess.run(["dpkg-deb", "--build", work / "it", made], check=True, timeout=CALL_DEADLINE_S, capture_output=True)
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return bootstrap(tmp_path_factory.mktemp("chroot"))


def _versions(root: Root) -> dict[str, str]:
    asked = root.run("dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status} ${Version}\n", "dualsrm*")
    rows = (line.split() for line in asked.stdout.splitlines())
    return {name: version[0] for name, status, *version in rows if status == "installed"}


def test_lintian_finds_no_error(built: dict[str, Path]) -> None:
    asked = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error", *built.values()],
        capture_output=True,
        text=True,
        check=False,
        timeout=INSTALL_DEADLINE_S,
    )
    assert asked.returncode == 0, asked.stdout


def test_they_install_beside_what_debian_has(root: Root, built: dict[str, Path]) -> None:
    assert set(built) == set(NAMES)
    root.install(*(root.take(path) for path in built.values()))
    assert set(_versions(root)) == set(NAMES)
    assert root.run("dpkg", "--audit").stdout == ""


def test_every_program_runs_and_knows_its_version(root: Root) -> None:
    for program in PROGRAMS:
        assert program in root.run(program, "--help").stdout
    assert root.run("dualsrm-host", "version").stdout == f"dualsrm-host {__version__}\n"
    assert __version__ in root.run("dualsrm", "--version").stdout


def test_the_manager_reads_the_example_and_goes_out_to_the_hosts(root: Root) -> None:
    """Without a network it cannot reach them: code 6, said by all the libraries together."""
    root.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/.ssh/dualsrm")
    (root.directory / "root/.ssh/known_hosts").touch()
    asked = root.run("dualsrm", "--config", EXAMPLE, "check", "web", ok=False)
    assert asked.returncode == 6, asked.stderr
    assert "192.0.2.11" in asked.stdout + asked.stderr
    assert "Traceback" not in asked.stderr


def test_the_handler_needs_nothing_but_python(root: Root) -> None:
    asked = root.run("/usr/bin/env", "-i", "/usr/sbin/dualsrm-host", "fence-peer", ok=False)
    assert (asked.returncode, asked.stdout) == (1, "")
    assert "is run by DRBD" in asked.stderr


def test_man_and_completion_are_found(root: Root) -> None:
    for page in ("dualsrm", "dualsrm-migrate", "dualsrm-split-brain-resolve", "dualsrm-host", "dualsrm-exporter"):
        assert "SYNOPSIS" in root.run("man", page).stdout
    act = """. /usr/share/bash-completion/bash_completion; _completion_loader dualsrm
             COMP_WORDS=(dualsrm mi); COMP_CWORD=1; _dualsrm_completion dualsrm; echo "${COMPREPLY[@]}" """
    assert root.run("bash", "-c", act).stdout == "migrate\n"


def test_the_unit_is_enabled_and_names_a_program_that_is_there(root: Root) -> None:
    assert root.run("systemctl", "is-enabled", "dualsrm-exporter").stdout == "enabled\n"
    unit = (root.directory / "lib/systemd/system/dualsrm-exporter.service").read_text()
    assert "\nExecStart=/usr/bin/dualsrm-exporter\n" in unit
    assert "/opt/" not in unit


def test_sudo_lets_people_do_what_the_example_says_and_no_more(root: Root) -> None:
    root.install("sudo")
    example = root.directory / "usr/share/dualsrm/examples/sudoers"
    rules = root.directory / "etc/sudoers.d/people"
    rules.write_text(example.read_text())
    rules.chmod(0o440)
    root.run("visudo", "--check")
    for group in ("dualsrm-look", "dualsrm-move"):
        root.run("groupadd", group)
        root.run("useradd", "--no-user-group", "--groups", group, group)

    def may(user: str, *words: str) -> bool:
        return root.run("sudo", "-l", "-U", user, "/usr/bin/dualsrm", *words, ok=False).returncode == 0

    assert may("dualsrm-look", "status", "--json")
    assert may("dualsrm-look", "check", "web")
    assert not may("dualsrm-look", "migrate", "web")
    assert may("dualsrm-move", "migrate", "web", "--dry-run")
    assert may("dualsrm-move", "recover")
    assert may("dualsrm-move", "test-failover", "start", "web")
    assert may("dualsrm-move", "test-failover", "cleanup")
    assert not may("dualsrm-look", "test-failover", "start", "web")
    for words in (
        ("--config", "/tmp/mine", "status"),
        ("check", "--config", "/tmp/mine"),
        ("migrate", "web", "--cold"),
        ("test-failover", "start", "web", "--snapshot-size", "4"),
        ("failover", "web", "--to", "beta"),
        ("split-brain", "resolve", "web", "--victim", "alpha"),
        ("recover", "--take-over"),
    ):
        assert not may("dualsrm-move", *words), words
    rules.unlink()


def test_while_a_window_is_open_the_handler_stays(root: Root, newer: dict[str, Path]) -> None:
    record = root.directory / RECORD
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    before = _versions(root)
    for name in ("dualsrm-host", "dualsrm-common"):
        upgrade = root.run("dpkg", "--install", root.take(newer[name]), ok=False)
        removal = root.run("dpkg", "--remove", "--force-depends", name, ok=False)
        for refused in (upgrade, removal):
            assert refused.returncode != 0
            assert f"{name}: a window is open on this host" in refused.stderr
        assert _versions(root) == before
        assert root.run("dualsrm-host", "version").stdout
    record.unlink()


def test_an_upgrade_keeps_what_an_administrator_wrote(root: Root, newer: dict[str, Path]) -> None:
    (root.directory / OWN_FILE).write_text("[peers.beta]\n")
    root.install(*(root.take(path) for path in newer.values()))
    assert {version[-2:] for version in _versions(root).values()} == {"+1"}
    assert (root.directory / OWN_FILE).read_text() == "[peers.beta]\n"
    assert root.run("dualsrm-host", "version").returncode == 0


def test_a_removal_leaves_state_and_configuration_only(root: Root) -> None:
    for path in ("var/lib/dualsrm/operations", "var/lib/dualsrm/quarantine", "var/lib/private/dualsrm-exporter"):
        (root.directory / path).mkdir(parents=True)
        (root.directory / path / "file").write_text("")
    root.run("dpkg", "--remove", *NAMES)
    assert _versions(root) == {}
    left = root.files_named("dualsrm")
    assert f"/{OWN_FILE}" in left
    kept = ("/etc/dualsrm", "/run/dualsrm", "/var/lib/dualsrm", "/var/lib/private", "/var/lib/dpkg", "/var/lib/systemd")
    wants = "/etc/systemd/system/multi-user.target.wants/dualsrm-exporter.service"  # masked by its absence, until purge
    assert {path for path in left if not path.startswith(kept)} <= {wants}


def test_a_purge_leaves_what_an_administrator_wrote_and_nothing_else(root: Root) -> None:
    root.run("dpkg", "--purge", *NAMES)
    left = {path for path in root.files_named("dualsrm") if not path.startswith("/run/")}
    assert left == {"/etc/dualsrm", f"/{OWN_FILE}"}
