"""What is kept of `drbdadm -v dump all`: resources, their handlers, and nothing else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.hosts.drbd import Dialect
from dualsrm.hosts.drbd.files import FilesSyntaxError, read_files
from dualsrm.model import FenceHandler, Unknown
from tests.unit.drbd.test_drbd_view import view

KEPT = r"""resource a {
fence-peer "/usr/sbin/dualsrm-host fence-peer"
runnable
resource b {
resource "c d" {
fence-peer "/bin/o'b \"x\" $HOME \\ z"
resource e {
fence-peer /bin/word
"""


def test_each_resource_has_its_own_handler_or_none() -> None:
    assert read_files(KEPT) == {
        "a": FenceHandler("/usr/sbin/dualsrm-host fence-peer", runnable=True),
        "b": None,
        "c d": FenceHandler('/bin/o\'b "x" $HOME \\ z', runnable=False),
        "e": FenceHandler("/bin/word", runnable=False),
    }


def test_no_files_no_resources() -> None:
    assert read_files("\n") == {}


@pytest.mark.parametrize(
    "text",
    [
        "fence-peer /bin/x\n",
        "runnable\n",
        "resource a {\nrunnable\n",
        "resource a {\nfence-peer /bin/x\nfence-peer /bin/y\n",
        "resource a\n",
        "resource a b {\n",
        'resource "a {\n',
        'resource a {\nfence-peer "/bin/x\n',
        "resource a {\nshared-secret hunter2\n",
        "resource a {\nresource a {\n",
    ],
)
def test_half_an_answer_is_none_and_is_not_repeated(text: str) -> None:
    with pytest.raises(FilesSyntaxError) as refused:
        read_files(text)
    assert "hunter" not in str(refused.value)
    seen = view(Dialect.V84, "12-dual-primary.node1", configured=text)
    assert isinstance(seen.handlers, Unknown)
    assert isinstance(seen.configured, Unknown)


@given(st.text())
def test_no_text_makes_it_raise_anything_else(text: str) -> None:
    with contextlib.suppress(FilesSyntaxError):
        read_files("resource a {\nfence-peer " + text)


words = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1)


@given(words)
def test_a_quoted_command_comes_back_as_it_was(command: str) -> None:
    quoted = command.replace("\\", "\\\\").replace('"', '\\"')
    assert read_files(f'resource a {{\nfence-peer "{quoted}"\n') == {"a": FenceHandler(command, runnable=False)}
