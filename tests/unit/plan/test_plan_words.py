"""What a plan says it will do, in a dry run and in the journal: where one step has two meanings, the right one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dualsrm.model import Clone, CloneDisk, Filesystem, Fsck, Generation
from dualsrm.plan.filesystem_steps import CheckFilesystem, Mount, MountedIs
from dualsrm.plan.peer_steps import AwaitResync
from dualsrm.plan.rehearsal_steps import CloneReads, NetworkIs, StartClone
from dualsrm.plan.split_steps import Connect, DataIs, TakeSnapshot, Target
from dualsrm.plan.steps import DisksAre, MigrateLive, RoleIs, SetTwoPrimaries, ShutDown, TwoPrimariesIs

FS = Filesystem("shop", "data", 0, "/srv/shop", "ext4")
DISKS = (CloneDisk("vda", "/dev/guests/a", 1), CloneDisk("vdb", "/dev/guests/b", 1))


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (SetTwoPrimaries("alpha", "web", allowed=True), "set allow-two-primaries=yes for web on alpha"),
        (SetTwoPrimaries("alpha", "web", allowed=False), "set allow-two-primaries=no for web on alpha"),
        (
            TwoPrimariesIs("alpha", "web", allowed=True),
            "drbdsetup show on alpha says allow-two-primaries=yes for web",
        ),
        (
            TwoPrimariesIs("alpha", "web", allowed=False),
            "drbdsetup show on alpha says allow-two-primaries=no for web",
        ),
        (RoleIs("alpha", "web", primary=True), "web is Primary on alpha"),
        (RoleIs("alpha", "web", primary=False), "web is Secondary on alpha"),
        (DisksAre("alpha", "web", newest=True), "every disk of web on alpha is UpToDate"),
        (DisksAre("alpha", "web", newest=False), "every disk of web on alpha is whole"),
        (ShutDown("alpha", "web", "uuid"), "shut web down on alpha"),
        (ShutDown("alpha", "web", "uuid", destroy=True), "shut web down on alpha, by force when it is late"),
        (MountedIs("alpha", FS, mounted=True), "data/0 is mounted at /srv/shop on alpha"),
        (MountedIs("alpha", FS, mounted=False), "data/0 is mounted nowhere on alpha"),
        (Mount("alpha", FS), "mount data/0 at /srv/shop on alpha"),
        (CheckFilesystem("alpha", replace(FS, fsck=Fsck.PREEN)), "fsck (preen) of data/0 on alpha"),
        (Connect("alpha", "web"), "connect web on alpha"),
        (Connect("alpha", "web", discard=True), "connect web on alpha, discarding its data"),
        (Target("alpha", "web", wanted=True), "web on alpha is the target of a resync"),
        (Target("alpha", "web", wanted=False), "web on alpha is not the target of a resync"),
        (NetworkIs("alpha", "net", there=True), "the network net is there on alpha"),
        (NetworkIs("alpha", "net", there=False), "the network net is not there on alpha"),
        (CloneReads("alpha", "copy"), "copy on alpha has read 1 MiB from its disks"),
        (AwaitResync("alpha", ("data", "log")), "wait until data, log is resynced onto alpha"),
        (
            StartClone("alpha", Clone("web", "copy", "uuid", "operation", DISKS, ())),
            "start copy on alpha, on /dev/guests/a, /dev/guests/b",
        ),
        (
            TakeSnapshot("alpha", "guests", "web", "web-kept", 4096),
            "on alpha: lvcreate -s -L 4096b -n web-kept guests/web",
        ),
        (
            TakeSnapshot("alpha", "guests", "web", "web-kept", 4096, ("one", "two")),
            "on alpha: lvcreate -s -L 4096b -n web-kept --addtag one --addtag two guests/web",
        ),
        # The lowest bit says Primary, and is no part of the generation.
        (
            DataIs("alpha", "web", (Generation(0, 0x2F, 16, (0, 0)), Generation(1, 0x30, 16, (0, 0)))),
            "the generation of web on alpha is 000000000000002E, 0000000000000030",
        ),
    ],
    ids=str,
)
def test_words(step: object, words: str) -> None:
    assert str(step) == words


def test_a_migration_is_asked_of_its_source() -> None:
    assert MigrateLive("web", "uuid", "alpha", "beta").host == "alpha"
