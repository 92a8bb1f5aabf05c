"""What is mounted, read off the kernel's words, and the commands around a file system with their refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualsrm.errors import CommandFailed, DeviceHeldOpen
from dualsrm.hosts.filesystems import Filesystems
from dualsrm.hosts.mounts import mount_view, read_boot, read_mountinfo
from dualsrm.hosts.ssh import Completed
from dualsrm.model import BootMount, Filesystem, Fsck, Host, MountView, Unknown

ROOT = "16 1 98:0 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
FILES = "60 16 147:3 / /srv/files rw,noatime shared:30 - ext4 /dev/drbd3 rw\n"
OFFICE = Filesystem("office", "files", 0, "/srv/files", "ext4", ("mail",), ("noatime",), Fsck.PREEN)


def test_drbd_devices_are_told_by_their_number() -> None:
    root, files = read_mountinfo(ROOT + FILES)
    assert root.minor is None
    assert (files.point, files.kind, files.minor) == ("/srv/files", "ext4", 3)


def test_btrfs_is_told_by_its_source_and_odd_paths_are_unescaped() -> None:
    (found,) = read_mountinfo("61 16 0:44 / /srv/a\\040b rw - btrfs /dev/drbd7 rw\n")
    assert (found.point, found.minor) == ("/srv/a b", 7)


@pytest.mark.parametrize("text", ["x", "1 2 3 4 5 6 ext4 /dev/drbd3", "60 16 147:3 / - ext4 /dev/drbd3 rw"])
def test_a_line_that_is_none_makes_all_unknown(text: str) -> None:
    assert isinstance(mount_view(ROOT + text, ""), Unknown)


@given(st.text())
def test_hostile_mounts_never_raise_anything_else(text: str) -> None:
    view = mount_view(text, text)
    assert isinstance(view, MountView | Unknown)


def test_what_hides_another_mount_counts() -> None:
    view = MountView(read_mountinfo(FILES + "70 60 0:9 / /srv/files rw - tmpfs tmpfs rw\n"))
    assert [one.kind for one in view.of_minor(3)] == ["ext4"]
    found = view.at("/srv/files")
    assert found is not None
    assert found.kind == "tmpfs"


def test_what_is_mounted_at_boot() -> None:
    text = (
        "fstab /dev/drbd3 /srv/files ext4 defaults 0 2\n"
        "fstab /dev/drbd4 /srv/other ext4 noauto 0 0\n"
        "fstab /dev/drbd5 /srv/touched ext4 noauto,x-systemd.automount 0 0\n"
        "unit srv-more\\x2dfiles.automount\n"
    )
    assert read_boot(text) == (
        BootMount("/dev/drbd3", "/srv/files", "fstab"),
        BootMount("/dev/drbd5", "/srv/touched", "fstab"),
        BootMount("", "/srv/more-files", "srv-more\\x2dfiles.automount"),
    )


# --- commands -----------------------------------------------------------------------------------------------------


class Scripted:
    """An SSH connection that answers from a table and notes what was run."""

    def __init__(self, answers: dict[str, Completed]) -> None:
        self.host = Host("alpha", "192.0.2.11", "", "")
        self.ran: list[list[str]] = []
        self._answers = {"drbdadm": Completed(0, "/dev/drbd3\n", ""), "cat": Completed(0, ROOT, ""), **answers}

    def run(self, argv: Sequence[str], *, deadline_s: float) -> Completed:
        assert deadline_s > 0
        self.ran.append(list(argv))
        return self._answers.get(argv[0], Completed(0, "", ""))

    def acts(self) -> list[list[str]]:
        return [argv for argv in self.ran if argv[0] not in ("drbdadm", "cat")]


def commands(**answers: Completed) -> tuple[Filesystems, Scripted]:
    ssh = Scripted({name.replace("_", "."): done for name, done in answers.items()})
    return Filesystems(ssh), ssh  # type: ignore[arg-type]  # all of a connection that is used


MOUNTED = Completed(0, ROOT + FILES, "")


def test_it_is_checked_and_mounted_by_plain_arguments() -> None:
    found, ssh = commands()
    found.check(OFFICE)
    found.mount(OFFICE)
    assert ssh.acts() == [
        ["fsck.ext4", "-p", "/dev/drbd3"],
        ["mount", "-t", "ext4", "-o", "noatime,X-mount.mkdir", "--", "/dev/drbd3", "/srv/files"],
    ]


def test_what_is_mounted_is_neither_checked_nor_mounted_again() -> None:
    found, ssh = commands(cat=MOUNTED)
    found.check(OFFICE)
    found.mount(OFFICE)
    assert ssh.acts() == []


def test_what_is_not_mounted_is_not_unmounted() -> None:
    found, ssh = commands()
    found.unmount(OFFICE)
    assert ssh.acts() == []


def test_a_busy_one_is_held_open_and_never_forced() -> None:
    found, ssh = commands(cat=MOUNTED, umount=Completed(32, "", "umount: /srv/files: target is busy.\n"))
    with pytest.raises(DeviceHeldOpen, match="target is busy"):
        found.unmount(OFFICE)
    assert ssh.acts() == [["umount", "--", "/srv/files"]]


@pytest.mark.parametrize(
    ("answers", "act", "says"),
    [
        ({"mount": Completed(32, "", "mount: wrong medium type")}, Filesystems.mount, "wrong medium type"),
        ({"fsck_ext4": Completed(4, "", "UNEXPECTED INCONSISTENCY")}, Filesystems.check, "UNEXPECTED INCONSISTENCY"),
        ({"cat": Completed(0, ROOT + FILES.replace("147:3", "0:9").replace("/dev/drbd3", "x"), "")},
         Filesystems.mount, "x is mounted at /srv/files"),
        ({"cat": Completed(1, "", "denied")}, Filesystems.unmount, "cannot be read: denied"),
        ({"drbdadm": Completed(1, "", "'files' not defined")}, Filesystems.mount, "names no device"),
    ],
)  # fmt: skip
def test_refusals_keep_the_tools_words(
    answers: dict[str, Completed], act: Callable[[Filesystems, Filesystem], None], says: str
) -> None:
    found, _ = commands(**answers)
    with pytest.raises(CommandFailed, match=says) as caught:
        act(found, OFFICE)
    assert caught.value.fix
