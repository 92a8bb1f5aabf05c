"""A group's file system in the file: what is read, and what is refused before any host is contacted."""

from __future__ import annotations

from pathlib import Path

import pytest

from dualsrm.model import Filesystem, Fsck
from tests.unit.config.test_config_groups import group
from tests.unit.config.test_config_load import GOOD, file, read, wrong

__all__ = ["file"]

OFFICE = group("office", '"mail", "wiki"')


def table(name: str = "office", resource: str = "files", mount: str = "/srv/files", more: str = "") -> str:
    return (
        f'[groups.{name}.filesystem]\nresource = "{resource}"\nmount = "{mount}"\n'
        + ("" if "type" in more else 'type = "ext4"\n')
        + more
        + "\n"
    )


def test_it_belongs_to_its_group_and_to_the_pair(file: Path) -> None:
    more = 'volume = 1\noptions = ["noatime", "data=ordered"]\nfsck = "full"\nfsck_deadline_s = 3600\n'
    settings = read(file, GOOD + OFFICE + table(more=more))
    wanted = Filesystem(
        "office", "files", 1, "/srv/files", "ext4", ("mail", "wiki"), ("noatime", "data=ordered"), Fsck.FULL, 3600
    )
    assert settings.groups["office"].filesystem == wanted
    assert settings.pairs["lab"].filesystems == (wanted,)


def test_most_groups_have_none(file: Path) -> None:
    settings = read(file, GOOD + OFFICE)
    assert settings.groups["office"].filesystem is None
    assert settings.pairs["lab"].filesystems == ()


@pytest.mark.parametrize("mount", ["srv/files", "/", "/srv/../etc", "/srv/files/", "/srv//files", "/srv/a b", "/srv/*"])
def test_a_mount_point_is_a_plain_path(file: Path, mount: str) -> None:
    assert "groups.office.filesystem.mount" in wrong(file, GOOD + OFFICE + table(mount=mount))


@pytest.mark.parametrize("resource", ["all", "--force", "web/0", ""])
def test_a_resource_is_a_name(file: Path, resource: str) -> None:
    assert "groups.office.filesystem.resource" in wrong(file, GOOD + OFFICE + table(resource=resource))


@pytest.mark.parametrize("option", ["ro", "bind", "a,b", "-o", "loop=1", "remount"])
def test_options_that_would_not_do(file: Path, option: str) -> None:
    assert "filesystem.options" in wrong(file, GOOD + OFFICE + table(more=f'options = ["{option}"]\n'))


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_what_has_no_preening_fsck_is_mended_by_hand(file: Path, kind: str) -> None:
    said = wrong(file, GOOD + OFFICE + table(more=f'type = "{kind}"\nfsck = "preen"\n'))
    assert "is for ext3 and ext4" in said


def test_a_kind_nobody_knows_here_is_refused(file: Path) -> None:
    assert "groups.office.filesystem.type" in wrong(file, GOOD + OFFICE + table(more='type = "ntfs"\n'))


def test_two_groups_share_no_resource_and_no_path(file: Path) -> None:
    two = OFFICE + table() + group("shop", '"till"') + table("shop", mount="/srv/files/shop")
    said = wrong(file, GOOD + two)
    assert "groups.shop.filesystem.resource" in said
    assert "a resource moves as a whole" in said
    assert "allowed are paths side by side" in said
