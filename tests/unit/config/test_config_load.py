"""The file that is right, and every way it can be wrong: said all at once, with key, line and what is allowed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.config import Settings, load
from dualsrm.convergence import AtDeadline, Convergence, Rung, SetDowntime, StartPostCopy
from dualsrm.errors import ConfigError, ExitCode
from dualsrm.model import Host, Pair

GOOD = """\
[hosts.alpha]
address = "10.79.0.11"
migration_address = "10.79.2.11"
peer_uri = "qemu+ssh://alpha/system"

[hosts.beta]
address = "beta.example.net"
user = "admin"
port = 2222
migration_address = "fd00::12"
peer_uri = "qemu+tls://beta:16514/system"

[pairs.lab]
hosts = ["alpha", "beta"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dualsrm.toml"


def read(file: Path, text: str) -> Settings:
    file.write_text(text)
    file.chmod(0o640)
    return load(file)


def wrong(file: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(file, text)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.why
    assert caught.value.fix
    assert str(file) in caught.value.seen
    return caught.value.seen


def test_the_shortest_file_and_its_defaults(file: Path) -> None:
    settings = read(file, GOOD)
    assert settings.hosts["alpha"] == Host("alpha", "10.79.0.11", "10.79.2.11", "qemu+ssh://alpha/system", "root", 22)
    assert settings.hosts["beta"].user == "admin"
    assert settings.hosts["beta"].port == 2222
    assert settings.pairs == {"lab": Pair("lab", ("alpha", "beta"), encrypted=True)}
    assert (settings.ssh.identity_file, settings.ssh.known_hosts) == (None, None)
    assert settings.migration.transport == "tls"
    assert (settings.migration.bandwidth_mib_s, settings.migration.deadline_s) == (0, 300)
    assert settings.migration.auto_converge
    assert not settings.migration.post_copy
    assert settings.migration.convergence == Convergence(
        ladder=(
            Rung(SetDowntime(0.5), after_passes=5),
            Rung(SetDowntime(1), after_passes=10),
            Rung(SetDowntime(2), after_passes=20),
        ),
        deadline_s=300,
        deadline_s_per_gib=60,
        at_deadline=AtDeadline.ABORT,
        pause_s=60,
    )
    assert settings.state.directory == "/var/lib/dualsrm"


def test_every_section_is_read(file: Path) -> None:
    settings = read(
        file,
        GOOD + '[ssh]\nidentity_file = "/root/.ssh/id"\nknown_hosts = "/root/.ssh/known"\n'
        '[migration]\ntransport = "tcp"\nbandwidth_mib_s = 100\ndeadline_s = 60\n[state]\ndirectory = "/srv/state"\n',
    )
    assert settings.ssh.identity_file == "/root/.ssh/id"
    assert settings.ssh.known_hosts == "/root/.ssh/known"
    assert settings.migration.transport == "tcp"
    assert settings.state.directory == "/srv/state"


def test_settings_do_not_change(file: Path) -> None:
    settings = read(file, GOOD)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.path = Path("/")  # type: ignore[misc]  # the very mistake under test
    with pytest.raises(TypeError):
        settings.hosts["gamma"] = settings.hosts["alpha"]  # type: ignore[index]  # the very mistake under test
    with pytest.raises(ValueError, match="frozen"):
        settings.migration.deadline_s = 1


# --- the file itself ------------------------------------------------------------------------------


def test_no_file(file: Path) -> None:
    with pytest.raises(ConfigError, match="no configuration file") as caught:
        load(file)
    assert "DUALSRM_CONFIG" in caught.value.fix


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.parametrize("mode", [0o660, 0o602, 0o666])
def test_a_file_others_may_write_is_refused(file: Path, mode: int) -> None:
    file.write_text(GOOD)
    file.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}") as caught:
        load(file)
    assert caught.value.fix == f"chmod go-w {file}"


def test_a_syntax_error_has_its_line(file: Path) -> None:
    assert "line 2" in wrong(file, "[hosts.alpha]\naddress 10.79.0.11\n")


def test_bytes_that_are_no_text_have_their_line(file: Path) -> None:
    file.write_bytes(b"[ssh]\n# caf\xe9\n")
    file.chmod(0o600)
    with pytest.raises(ConfigError, match=r"not UTF-8 \(line 2\)"):
        load(file)


def test_an_empty_file_lacks_hosts_and_pairs(file: Path) -> None:
    seen = wrong(file, "")
    assert "2 errors" in seen
    assert "hosts: is missing" in seen
    assert "pairs: is missing" in seen
    assert "one at least" in wrong(file, "[hosts]\n[pairs]\n")


# --- keys and values ------------------------------------------------------------------------------


def instead(key: str, value: str, *, table: str = "hosts.alpha") -> str:
    """The good file with one key of alpha (or of another table) set otherwise."""
    lines = GOOD.splitlines()
    start = lines.index(f"[{table}]") if f"[{table}]" in lines else -1
    if start < 0:
        return f"{GOOD}[{table}]\n{key} = {value}\n"
    kept = [
        line for number, line in enumerate(lines) if not (line.startswith(f"{key} =") and start < number < start + 6)
    ]
    kept.insert(kept.index(f"[{table}]") + 1, f"{key} = {value}")
    return "\n".join(kept)


@pytest.mark.parametrize(
    ("table", "key", "value", "says"),
    [
        ("hosts.alpha", "adress", '"x"', "did you mean 'address'?"),
        ("hosts.alpha", "address", '"-oProxyCommand=x"', "host name or an IP address"),
        ("hosts.alpha", "address", '"a b"', "host name or an IP address"),
        ("hosts.alpha", "address", '"a\\u0007"', "host name or an IP address"),
        ("hosts.alpha", "address", '"10.79.0"', "host name or an IP address"),
        ("hosts.alpha", "address", '"10.79.0.300"', "host name or an IP address"),
        ("hosts.alpha", "address", '"fe80::1%eth0"', "host name or an IP address"),
        ("hosts.alpha", "address", '""', "host name or an IP address"),
        ("hosts.alpha", "address", "7", "found 7; allowed is a valid string"),
        ("hosts.alpha", "migration_address", '"0.0.0.0"', "the other host reaches"),
        ("hosts.alpha", "migration_address", '"127.0.0.1"', "the other host reaches"),
        ("hosts.alpha", "migration_address", '"::1"', "the other host reaches"),
        ("hosts.alpha", "user", '"-l"', "login name"),
        ("hosts.alpha", "port", "70000", "found 70000; allowed is less than or equal to 65535"),
        ("hosts.alpha", "port", '"22"', "found '22'; allowed is a valid integer"),
        ("hosts.alpha", "port", "true", "found True; allowed is a valid integer"),
        ("hosts.alpha", "peer_uri", '"alpha"', "qemu+ssh, qemu+tls, qemu+tcp"),
        ("hosts.alpha", "peer_uri", '"qemu:///system"', "qemu+ssh, qemu+tls, qemu+tcp"),
        ("hosts.alpha", "peer_uri", '"xen+ssh://alpha/"', "qemu+ssh, qemu+tls, qemu+tcp"),
        ("hosts.alpha", "peer_uri", '"qemu+ssh:///system"', "must name a host"),
        ("hosts.alpha", "peer_uri", '"qemu+ssh://-oX/system"', "must name a host"),
        ("hosts.alpha", "peer_uri", '"qemu+ssh://a l/system"', "without spaces"),
        ("hosts.alpha", "peer_uri", '"qemu+ssh://alpha/session"', "must be /system"),
        ("hosts.alpha", "peer_uri", '"qemu+ssh://-l@alpha/system"', "login name"),
        ("hosts.alpha", "peer_uri", '"qemu+tcp://alpha:port/system"', "libvirt URI"),
        ("migration", "transport", '"ssh"', "found 'ssh'; allowed is 'tls' or 'tcp'"),
        ("migration", "deadline_s", "0", "greater than or equal to 1"),
        ("migration", "bandwidth_mib_s", "-1", "greater than or equal to 0"),
        ("migration", "deadline_s", "1.5", "allowed is a valid integer"),
        ("migration", "deadline_s_per_gib", "-1", "greater than or equal to 0"),
        ("migration", "at_deadline", '"wait"', "found 'wait'; allowed is 'abort' or 'pause'"),
        ("migration", "at_deadline", '"cold"', "on_failure"),
        ("migration", "pause_s", "5", 'no effect without at_deadline = "pause"'),
        ("migration", "auto_converge", '"yes"', "found 'yes'; allowed is a valid boolean"),
        ("migration", "throttle_initial_percent", "0", "greater than or equal to 1"),
        ("migration", "throttle_increment_percent", "100", "less than or equal to 99"),
        ("migration", "schedule", "5", "found 5; allowed is a list"),
        ("migration", "schedule", "[5]", "found 5; allowed is a table"),
        ("ssh", "identity_file", '"~/.ssh/id"', "absolute path"),
        ("state", "directory", '"state"', "absolute path"),
        ("stat", "directory", '"/x"', "did you mean 'state'?"),
    ],
)
def test_a_wrong_value_names_key_line_and_what_is_allowed(
    file: Path, table: str, key: str, value: str, says: str
) -> None:
    seen = wrong(file, instead(key, value, table=table))
    assert table in seen
    assert table == "stat" or f"{table}.{key}" in seen
    assert "(line " in seen
    assert says in seen
    assert "errors:" not in seen


def test_the_line_is_the_right_one(file: Path) -> None:
    text = GOOD.replace("port = 2222", "port = 0")
    number = text.splitlines().index("port = 0") + 1
    assert f"hosts.beta.port (line {number})" in wrong(file, text)


def test_a_missing_key_points_at_its_table_and_says_what_it_is(file: Path) -> None:
    text = GOOD.replace('address = "beta.example.net"\n', "")
    number = text.splitlines().index("[hosts.beta]") + 1
    assert f"hosts.beta.address (line {number}): is missing. Name or address" in wrong(file, text)


def test_a_section_that_is_no_table(file: Path) -> None:
    assert "ssh (line 1): found 3; allowed is a table, [ssh]" in wrong(file, f"ssh = 3\n{GOOD}")


def test_a_long_value_is_cut(file: Path) -> None:
    assert "..." in wrong(file, instead("address", f'"{" x" * 500}"'))


@pytest.mark.parametrize("name", ["a b", "a/b", "", "-a", "..", ".a", "é", "a\\u001b", "x" * 65])
@pytest.mark.parametrize("kind", ["hosts", "pairs"])
def test_a_name_becomes_a_file_name(file: Path, kind: str, name: str) -> None:
    text = GOOD.replace("[pairs.lab]", f'[pairs."{name}"]') if kind == "pairs" else GOOD
    if kind == "hosts":
        text = text.replace("[hosts.beta]", f'[hosts."{name}"]').replace('"beta"]', f'"{name}"]')
    seen = wrong(file, text)
    assert "letters, digits, dot, dash and underscore" in seen
    assert "\x1b" not in seen


# --- the schedule ---------------------------------------------------------------------------------


def scheduled(steps: str, rest: str = "") -> str:
    return f"{GOOD}[migration]\nschedule = {steps}\n{rest}"


def test_a_schedule_of_its_own(file: Path) -> None:
    pauses = "{ after_s = 30, downtime_ms = 500 }, { after_pass = 8, downtime_ms = 700 }"
    steps = f"[{pauses}, {{ after_s = 90, post_copy = true }}]"
    migration = read(file, scheduled(steps, 'at_deadline = "pause"\npause_s = 20\n')).migration
    assert migration.convergence.ladder == (
        Rung(SetDowntime(0.5), after_s=30),
        Rung(SetDowntime(0.7), after_passes=8),
        Rung(StartPostCopy(), after_s=90),
    )
    assert (migration.convergence.at_deadline, migration.convergence.pause_s) == (AtDeadline.PAUSE, 20)
    assert migration.post_copy


def test_no_schedule_at_all(file: Path) -> None:
    assert read(file, scheduled("[]")).migration.convergence.ladder == ()


@pytest.mark.parametrize(
    ("steps", "key", "says"),
    [
        ("[{ downtime_ms = 5 }]", "schedule.1", "either after_s or after_pass"),
        ("[{ after_s = 1, after_pass = 1, downtime_ms = 5 }]", "schedule.1", "either after_s or after_pass"),
        ("[{ after_s = 1 }]", "schedule.1", "either downtime_ms or post_copy"),
        ("[{ after_s = 1, downtime_ms = 5, post_copy = true }]", "schedule.1", "either downtime_ms or post_copy"),
        ("[{ after_s = 1, post_copy = false }]", "schedule.1.post_copy", "allowed is true"),
        ("[{ after_s = 1, downtime = 5 }]", "schedule.1.downtime", "did you mean 'downtime_ms'?"),
        ("[{ after_s = 1, downtime_ms = 5 }, { after_s = 0, downtime_ms = 6 }]", "schedule.2.after_s", "or equal to 1"),
        ("[{ after_s = 1, downtime_ms = 5 }, { after_s = 2, downtime_ms = 5 }]", "schedule", "downtime_ms must grow"),
        ("[{ after_s = 2, downtime_ms = 5 }, { after_s = 1, downtime_ms = 6 }]", "schedule", "after_s must grow"),
        ("[{ after_pass = 2, downtime_ms = 5 }, { after_pass = 2, downtime_ms = 6 }]", "schedule", "after_pass must"),
        ("[{ after_s = 1, post_copy = true }, { after_s = 2, downtime_ms = 5 }]", "schedule", "post_copy is the last"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(file: Path, steps: str, key: str, says: str) -> None:
    seen = wrong(file, scheduled(steps))
    assert f"migration.{key} (line 16): " in seen
    assert says in seen
    assert "errors:" not in seen


def test_steps_as_tables_of_their_own_have_their_lines(file: Path) -> None:
    entry = "[[migration.schedule]]\nafter_s = {}\ndowntime_ms = {}\n"
    assert len(read(file, GOOD + entry.format(1, 5) + entry.format(2, 6)).migration.schedule) == 2
    assert "migration.schedule.2.downtime_ms (line 20)" in wrong(file, GOOD + entry.format(1, 5) + entry.format(2, 0))


@pytest.mark.parametrize(
    ("key", "idle"),
    [("throttle_initial_percent = 5", "auto_converge = false"), ("pause_s = 5", 'at_deadline = "abort"')],
)
def test_a_key_that_another_one_makes_idle_is_refused(file: Path, key: str, idle: str) -> None:
    """In whatever order they stand."""
    for lines in (f"{key}\n{idle}\n", f"{idle}\n{key}\n"):
        assert "it has no effect without" in wrong(file, f"{GOOD}[migration]\n{lines}")


# --- hosts and pairs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hosts", "says"),
    [
        ('["alpha", "alpha"]', ["found 'alpha' twice", "hosts.beta (line 6): is in no pair"]),
        ('["alpha", "bta"]', ["'bta', which is no host (did you mean 'beta'?)", "hosts.beta (line 6): is in no pair"]),
        ('["alpha"]', ["exactly two host names", "hosts.beta (line 6): is in no pair"]),
        ('["alpha", "beta", "beta"]', ["exactly two host names"]),
        ('"alpha"', ["pairs.lab.hosts (line 14)"]),
        ('["alpha", 3]', ["pairs.lab.hosts"]),
    ],
)
def test_a_pair_is_of_two_hosts_that_exist(file: Path, hosts: str, says: list[str]) -> None:
    seen = wrong(file, GOOD.replace('["alpha", "beta"]', hosts))
    assert all(word in seen for word in says), seen


def test_a_host_in_two_pairs(file: Path) -> None:
    text = GOOD + '[hosts.gamma]\naddress = "g"\nmigration_address = "g"\npeer_uri = "qemu+ssh://g/system"\n'
    seen = wrong(file, text + '[pairs.two]\nhosts = ["alpha", "gamma"]\n')
    assert "hosts.alpha (line 1): is in 2 pairs (lab, two); allowed is one" in seen


@pytest.mark.parametrize(("key", "value"), [("address", "10.79.0.11"), ("migration_address", "10.79.2.11")])
def test_two_names_for_one_host(file: Path, key: str, value: str) -> None:
    text = GOOD.replace("beta.example.net", "10.79.0.12").replace("port = 2222\n", "")
    old = {"address": "10.79.0.12", "migration_address": "fd00::12"}[key]
    assert f"hosts.beta.{key}" in wrong(file, text.replace(old, value))


def test_one_address_with_two_ports_is_two_hosts(file: Path) -> None:
    assert read(file, GOOD.replace("beta.example.net", "10.79.0.11")).hosts["beta"].port == 2222


def test_everything_wrong_is_said_at_once(file: Path) -> None:
    text = GOOD.replace("port = 2222", "port = 0").replace("peer_uri", "peer_url", 1).replace('"beta"]', '"gamma"]')
    seen = wrong(file, text + "[migration]\ntransport = 3\n")
    for word in (
        "hosts.beta.port",
        "hosts.alpha.peer_url",
        "hosts.alpha.peer_uri",
        "'gamma'",
        "hosts.beta (",
        "transport",
    ):
        assert word in seen
    assert "6 errors" in seen
    assert len(seen.splitlines()) == 7


values = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text(st.characters(categories=("L", "N")), max_size=5)),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
keys = st.sampled_from(["hosts", "pairs", "alpha", "address", "ssh", "migration", "schedule", "port", "x"])


def toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


@given(st.dictionaries(st.lists(keys, min_size=1, max_size=3).map(tuple), values, max_size=5))
def test_no_file_makes_it_stumble(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[tuple[str, ...], object]
) -> None:
    """Whatever is in it: settings or a ConfigError."""
    text = "\n".join(f"{'.'.join(key)} = {toml(value)}" for key, value in entries.items())
    file = tmp_path_factory.getbasetemp() / "fuzz.toml"
    with pytest.raises(ConfigError):
        read(file, text)
