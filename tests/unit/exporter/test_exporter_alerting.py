"""The pages of the alerts, the examples for Prometheus and Alertmanager, and the commands both tell people to run."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from dualsrm.cli.main import cli
from dualsrm.hostside import main as hostside
from tests.unit.docs.pages import DOCS, REPOSITORY, sections
from tests.unit.exporter.alerts import RUNBOOKS, alerts, labels_of_a_page, seconds

ALERTS = alerts()
SCRAPE = REPOSITORY / "exporters" / "prometheus" / "scrape.example.yml"
ALERTMANAGER = REPOSITORY / "exporters" / "alertmanager" / "alertmanager.example.yml"
SEVERITIES = ("info", "warning", "critical")
PAGES = sorted(RUNBOOKS.glob("*.md"))


def _plain(summary: str) -> str:
    return re.sub(r"\{\{ \$(?:labels\.)?(\w+)[^}]*\}\}", r"*\1*", summary)


def test_the_page_has_every_alert_as_it_is() -> None:
    said = re.findall(
        r"^\| \[`(\w+)`\]\(runbooks/(\w+)\.md\) \| (\w+) \| (\w+) \| (.+) \|$", (DOCS / "alerts.md").read_text(), re.M
    )
    assert said == [(a.name, a.name, a.severity, a.wait, _plain(a.annotations["summary"])) for a in ALERTS]


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    assert {page.stem for page in PAGES} == {alert.name for alert in ALERTS}
    for alert in ALERTS:
        assert alert.annotations["runbook_url"] == f"https://dualsrm.example/docs/runbooks/{alert.name}.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_it_means_how_to_look_and_what_to_do(page: Path) -> None:
    assert page.read_text().startswith(f"# {page.stem}\n")
    assert list(sections(page)) == ["What it means", "How to look", "What to do"]
    assert "`" in sections(page)["How to look"]


def _commands() -> list[str]:
    texts = [page.read_text() for page in PAGES] + [alert.annotations["description"] for alert in ALERTS]
    return sorted({" ".join(code.split()) for text in texts for code in re.findall(r"`([^`]+)`", text)})


@pytest.mark.parametrize("command", [c for c in _commands() if re.match(r"dualsrm ", c)])
def test_each_command_of_the_manager_exists_with_its_options(command: str) -> None:
    words = shlex.split(re.sub(r"\{\{[^}]*\}\}", "NAME", command))[1:]
    at: click.Command = cli
    while isinstance(at, click.Group):
        at = at.commands[words.pop(0)]
    if words:  # else the command is only mentioned
        at.make_context("dualsrm", words)


@pytest.mark.parametrize("command", [c for c in _commands() if re.match(r"dualsrm-host ", c)])
def test_each_command_of_the_hosts_exists(command: str) -> None:
    words = shlex.split(re.sub(r"\{\{[^}]*\}\}", "NAME", command))[1:]
    modules = Path(hostside.__file__).parent.glob("*.py")
    assert any(f'"{words[0]}"' in module.read_text() for module in modules)


def test_each_description_has_a_command_to_look() -> None:
    for alert in ALERTS:
        assert re.search(r"Look: .*`[^`]+`", alert.annotations["description"]), alert.name


def test_names_of_guests_and_resources_are_in_no_command() -> None:
    """A guest may be called `x; reboot`, and what is in backquotes gets pasted into a shell."""
    for alert in ALERTS:
        for code in re.findall(r"`([^`]+)`", alert.annotations["description"]):
            assert not re.search(r"labels\.(guest|resource|volume|pair|instance)", code), alert.name


def test_prometheus_can_read_the_example() -> None:
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", SCRAPE],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (job,) = yaml.safe_load(SCRAPE.read_text())["scrape_configs"]
    assert (job["job_name"], job["honor_labels"], job["scheme"]) == ("dualsrm", True, "https")
    assert all(seconds(alert.wait) >= 2 * seconds(job["scrape_interval"]) for alert in ALERTS)
    hosts, manager = job["static_configs"]
    assert set(hosts["labels"]) == {"pair"}
    assert "labels" not in manager


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("severity=critical", "pair=lab"), "on-call"),
        (("severity=critical", "pair=accounting"), "accounting-on-call"),
        (("severity=warning", "pair=accounting"), "tickets"),
        (("severity=warning",), "tickets"),
        (("severity=info", "pair=lab"), "chat"),
    ],
)
def test_alertmanager_sends_it_to(labels: tuple[str, ...], receiver: str) -> None:
    done = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, receiver), done.stderr


def test_alertmanager_can_read_the_example() -> None:
    done = subprocess.run(
        ["amtool", "check-config", ALERTMANAGER], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _matched(matchers: list[str]) -> set[str]:
    """Alerts that the matchers on the name take; their other matchers ask for labels that are not empty."""
    taken = {alert.name for alert in ALERTS}
    for matcher in matchers:
        label, operator, value = re.fullmatch(r'(\w+)(=~|!=|=)"(.*)"', matcher).groups()  # type: ignore[union-attr]  # None fails
        if label == "alertname":
            taken = {name for name in taken if (re.fullmatch(value, name) is not None) is (operator != "!=")}
        else:
            assert (operator, value) == ("=~", ".+")
            taken = {name for name in taken if label in labels_of_a_page(name)}
    return taken


@pytest.mark.parametrize("rule", yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"], ids=str)
def test_nothing_is_hidden_by_less_or_by_a_label_it_lacks(rule: dict[str, list[str]]) -> None:
    severity = {alert.name: SEVERITIES.index(alert.severity) for alert in ALERTS}
    sources, targets = _matched(rule["source_matchers"]), _matched(rule["target_matchers"])
    assert sources
    assert targets
    assert not sources & targets
    named = re.findall(r'alertname=~?"([^"]*)"', " ".join(rule["source_matchers"] + rule["target_matchers"]))
    assert {name for words in named for name in words.split("|")} <= set(severity)
    assert max(severity[name] for name in targets) <= min(severity[name] for name in sources)
    for label in rule.get("equal", []):
        assert all(label in labels_of_a_page(name) for name in sources | targets), label
