"""The node image: built once from Debian packages and provision/, kept by the hash of what went into it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from uml import apt, outside, processes
from uml.errors import LabError
from uml.facts import PROVISION, REPOSITORY, VAGRANT
from uml.layout import CACHE, LABS
from uml.machine import Disk, Machine

#: Run in the image, in this order. The same scripts provision real machines.
IMAGE_SCRIPTS = ("hosts", "ssh", "lvm", "drbd", "libvirt", "exporter", "addresses", "uml", "strip")
_IN_IMAGE = Path("usr/local/lib/dualsrm-lab")
_GUEST_KERNEL = Path("var/lib/dualsrm-lab-guest")
_MODULES = Path("/usr/lib/uml/modules")
_SCORE = VAGRANT / "score"
_EXCLUDED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_ROOT_SIZE = "2G"
_DATA_BYTES = 448 * 2**20
#: Seconds. Downloads dominate the first; a cold emulator probe the last.
_BOOTSTRAP_DEADLINE, _SCORE_DEADLINE, _SEAL_DEADLINE, _LOCK_DEADLINE = 1200.0, 1200.0, 300.0, 1800.0
_SEALED = "lab: image sealed"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Image:
    """A finished image: root is only ever read (nodes write to a layer above it), data is copied for each node."""

    directory: Path

    @property
    def root(self) -> Path:
        """The root file system every node shares."""
        return self.directory / "root.ext4"

    @property
    def data(self) -> Path:
        """A data disk with volume group, logical volumes and DRBD metadata in place."""
        return self.directory / "data.img"


def _inputs() -> Iterator[Path]:
    """Files that change the image; score's Python runs outside the guests and its prose nowhere."""
    own = Path(__file__).parent
    yield from (own / "image.py", own / "apt.py", own / "machine.py")
    for directory in (PROVISION, _SCORE):
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path.suffix not in {".py", ".pyc", ".md"}:
                yield path


def fingerprint() -> str:
    """A name for what the image is made of: our files and the kernel's version, not Debian's archive of the day."""
    digest = hashlib.sha256("".join(sorted(path.name for path in _MODULES.iterdir())).encode())
    for path in _inputs():
        digest.update(str(path.relative_to(REPOSITORY)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _only_builder(say: Say) -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        end = time.monotonic() + _LOCK_DEADLINE
        while not _locked(lock.fileno()):
            if time.monotonic() > end:
                raise LabError(
                    f"another process holds {CACHE / 'lock'} for {_LOCK_DEADLINE:.0f} s",
                    "only one may build an image at a time",
                    f"see who: fuser -v {CACHE / 'lock'}",
                )
            say("another process builds an image; waiting")
            time.sleep(2)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def ensure(say: Say) -> Image:
    """The image for the sources as they are now: from the cache, or built (about two minutes)."""
    image = Image(CACHE / "images" / fingerprint())
    if not image.directory.exists():
        with _only_builder(say):
            if not image.directory.exists():
                _build(image, say)
    return image


def _build(image: Image, say: Say) -> None:
    work = image.directory.with_suffix(".building")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        root = work / "root"
        _bootstrap(work, root, say)
        _provision(root, say)
        _guest_kernel(work, root, say)
        say("making the root file system")
        target = Image(work)
        outside.run(
            ["mke2fs", "-q", "-t", "ext4", "-m", "0", "-d", str(root), str(target.root), _ROOT_SIZE],
            deadline=120,
        )
        shutil.rmtree(root)
        _seal(work, target, say)
        work.rename(image.directory)
        _prune(image)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _bootstrap(work: Path, root: Path, say: Say) -> None:
    say("unpacking Debian packages (mmdebstrap)")
    (work / "sources.list").write_text("\n".join(apt.sources()) + "\n")
    (work / "apt.conf").write_text("\n".join(apt.options()) + "\n")
    lines = (PROVISION / "packages.list").read_text().splitlines()
    packages = ",".join(line for line in lines if line and not line.startswith("#"))
    outside.run(
        [
            # In namespaces of its own, so that neither its mounts nor its children outlive an interrupted build.
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            *("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=directory"),
            *(f"--include={packages}", f"--aptopt={work / 'apt.conf'}"),
            *(f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED),
            *(apt.RELEASE, str(root), str(work / "sources.list")),
        ],
        deadline=_BOOTSTRAP_DEADLINE,
    )


def _provision(root: Path, say: Say) -> None:
    say("provisioning")
    shutil.copytree(PROVISION, root / _IN_IMAGE)
    for version in _MODULES.iterdir():
        shutil.copytree(version, root / "lib/modules" / version.name, symlinks=True)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_OFFLINE": "1", "LC_ALL": "C.UTF-8"}
    for script in IMAGE_SCRIPTS:
        outside.run(["chroot", str(root), f"/{_IN_IMAGE}/{script}.sh"], deadline=60, env=environment)


def _guest_kernel(work: Path, root: Path, say: Say) -> None:
    builder = _SCORE / "build"
    if not builder.exists():
        say("no vagrant/score/build: the guests have no kernel to boot")
        return
    say("building the guests' kernel and initramfs")
    outside.run([str(builder), str(work / "guest")], deadline=_SCORE_DEADLINE)
    shutil.copytree(work / "guest", root / _GUEST_KERNEL)


def _seal(work: Path, image: Image, say: Say) -> None:
    say("first boot: volumes, DRBD metadata, guests, capabilities")
    with image.data.open("wb") as data:
        data.truncate(_DATA_BYTES)
    os.sync()
    machine = Machine(
        name="alpha",
        disks=(Disk(image.root), Disk(image.data)),
        console=work / "console",
        sockets=work / "sockets",
        words=("lab.seal",),
    )
    kernel = machine.start()
    try:
        outside.wait_until(
            "the image's first boot to end",
            lambda: not processes.alive(kernel),
            deadline=_SEAL_DEADLINE,
            console=machine.console,
        )
    finally:
        processes.kill(processes.session_of(kernel))
    if _SEALED not in machine.console.read_text(errors="replace"):
        raise LabError(
            f"the image's first boot did not finish its work{outside.tail(machine.console, 40)}",
            "nodes booted from it would lack volumes or guests",
            "correct the script named above in vagrant/provision and run vagrant/lab up again",
        )


def _prune(newest: Image) -> None:
    """Delete images no lab was booted from: half a gigabyte each."""
    used = {Path(record.read_text().strip()) for record in LABS.glob("*/image")} | {newest.directory}
    for directory in (CACHE / "images").iterdir():
        if directory not in used:
            shutil.rmtree(directory, ignore_errors=True)


def remove_cache() -> None:
    """Delete every image and what interrupted builds left."""
    shutil.rmtree(CACHE, ignore_errors=True)


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a disk without writing its holes."""
    outside.run(["cp", "--sparse=always", "--reflink=auto", str(source), str(target)], deadline=60)
