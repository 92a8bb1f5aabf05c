"""A lab's networks: one namespace without a way out, one bridge per network, one tap per node and network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from uml.errors import LabError
from uml.facts import NETWORKS
from uml.outside import run

_SECONDS = 10.0
_TUN = Path("/dev/net/tun")


@dataclass(frozen=True)
class Networks:
    """The networks inside one namespace. Taps and bridges are made in it, so they end with it."""

    namespace: str

    @property
    def path(self) -> Path:
        """Where iproute2 binds the namespace."""
        return Path("/run/netns") / self.namespace

    def enter(self, *argv: str) -> list[str]:
        """The argv that runs argv in the namespace. nsenter, not `ip netns exec`: that would remount /sys."""
        return ["nsenter", f"--net={self.path}", "--", *argv]

    def exists(self) -> bool:
        """Whether the namespace is there."""
        return self.path.exists()

    def create(self, nodes: tuple[str, ...], manager: str) -> None:
        """Make the namespace, bridges and taps; manager is the address of its own end on the management bridge."""
        if not _TUN.exists():
            raise LabError(
                f"this machine has no {_TUN}",
                "every network card of a node is a tap device, which is made through it",
                "modprobe tun; in a container, start it with --device /dev/net/tun --cap-add NET_ADMIN",
            )
        run(["ip", "netns", "add", self.namespace], deadline=_SECONDS)
        lines = ["link set lo up"]
        for network in NETWORKS:
            lines.append(f"link add {network} type bridge forward_delay 0 mcast_snooping 0")
            lines.append(f"link set {network} up")
        lines.append(f"address add {manager}/24 dev management")
        for node in nodes:
            for network in NETWORKS:
                lines.append(f"tuntap add {tap(node, network)} mode tap")
                lines.append(f"link set {tap(node, network)} master {network} up")
        run(self.enter("ip", "-batch", "-"), deadline=_SECONDS, stdin="\n".join(lines) + "\n")

    def remove(self) -> None:
        """Delete the namespace, and with it everything in it once its processes are gone."""
        if self.exists():
            run(["ip", "netns", "del", self.namespace], deadline=_SECONDS)

    def cut(self, network: str, node: str) -> None:
        """Take the node's plug out of the network. The tap stays up: UML's end would wedge if it went down."""
        run(self.enter("ip", "link", "set", tap(node, network), "nomaster"), deadline=_SECONDS)

    def heal(self, nodes: tuple[str, ...]) -> None:
        """Put every plug back."""
        for network, node in self.cuts(nodes):
            run(self.enter("ip", "link", "set", tap(node, network), "master", network), deadline=_SECONDS)

    def cuts(self, nodes: tuple[str, ...]) -> list[tuple[str, str]]:
        """The (network, node) pairs whose tap is in no bridge, as the kernel says it."""
        if not self.exists():
            return []
        links = json.loads(run(self.enter("ip", "-json", "link", "show"), deadline=_SECONDS).stdout)
        plugged = {link["ifname"] for link in links if "master" in link}
        return [(n, node) for node in nodes for n in NETWORKS if tap(node, n) not in plugged]


def tap(node: str, network: str) -> str:
    """The tap's name; the network is a number in it because an interface's name has 15 characters at most."""
    return f"{node}-{NETWORKS.index(network)}"
