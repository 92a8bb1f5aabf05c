"""A lab's networks: one namespace without a way out, one bridge per network, one tap per node and network."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from uml.errors import LabError
from uml.facts import MANAGER, NETWORKS, Facts
from uml.outside import run

_SECONDS = 10.0
_TUN = Path("/dev/net/tun")
#: A bridge nothing is plugged into, and the routing table that leads there: how the manager loses a node.
_VOID, _VOID_TABLE = "void", "79"


@dataclass(frozen=True)
class Networks:
    """The networks inside one namespace. Taps and bridges are made in it, so they end with it."""

    namespace: str
    facts: Facts

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

    def create(self, nodes: tuple[str, ...]) -> None:
        """Make the namespace, bridges and taps; its own end on the management bridge is the manager's."""
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
        lines.append(f"address add {self.facts.manager}/24 dev management")
        lines.append(f"link add {_VOID} type bridge")
        lines.append(f"link set {_VOID} up")
        lines.append(f"route add default dev {_VOID} table {_VOID_TABLE}")
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
        if network == MANAGER:
            if (network, node) not in self._lost():
                self._lose(node)
            return
        run(self.enter("ip", "link", "set", tap(node, network), "nomaster"), deadline=_SECONDS)

    def heal(self, nodes: tuple[str, ...]) -> None:
        """Put every plug back."""
        for network, node in self.cuts(nodes):
            if network == MANAGER:
                run(self.enter("ip", "rule", "del", *self._rule(node)), deadline=_SECONDS)
                continue
            run(self.enter("ip", "link", "set", tap(node, network), "master", network), deadline=_SECONDS)

    def cuts(self, nodes: tuple[str, ...]) -> list[tuple[str, str]]:
        """The (network, node) pairs whose tap is in no bridge, and nodes the manager lost, as the kernel says it."""
        if not self.exists():
            return []
        links = json.loads(run(self.enter("ip", "-json", "link", "show"), deadline=_SECONDS).stdout)
        plugged = {link["ifname"] for link in links if "master" in link}
        unplugged = [(n, node) for node in nodes for n in NETWORKS if tap(node, n) not in plugged]
        return unplugged + self._lost()

    def _rule(self, node: str) -> list[str]:
        """By the manager's own address, for the power switches are in this namespace too and lose nobody."""
        address = self.facts.addresses[node]["management"]
        return ["from", self.facts.manager, "to", address, "lookup", _VOID_TABLE]

    def _lose(self, node: str) -> None:
        """What the manager sends the node goes into the void; the reverse path filter then drops what the node sends.

        The nodes still reach each other. Connections stall and new ones wait for an answer, as with a pulled cable.
        """
        strict = "/proc/sys/net/ipv4/conf/management/rp_filter"
        run(self.enter("tee", strict), deadline=_SECONDS, stdin="1\n")
        run(self.enter("ip", "rule", "add", *self._rule(node)), deadline=_SECONDS)

    def _lost(self) -> list[tuple[str, str]]:
        rules = json.loads(run(self.enter("ip", "-json", "rule", "show"), deadline=_SECONDS).stdout)
        lost = {rule.get("dst") for rule in rules if rule.get("table") == _VOID_TABLE}
        return [(MANAGER, node) for node, at in self.facts.addresses.items() if at["management"] in lost]

    def mend_bmc(self, node: str) -> None:
        """Give the node's power switch its address; nothing to do when it has it."""
        run(self.enter("ip", "address", "replace", *self._bmc(node)), deadline=_SECONDS)

    def break_bmc(self, node: str) -> None:
        """Take the address of the node's power switch away: nobody answers there any more."""
        if self.bmc_has_address(node):
            run(self.enter("ip", "address", "del", *self._bmc(node)), deadline=_SECONDS)

    def bmc_has_address(self, node: str) -> bool:
        """Whether the kernel has the address of the node's power switch."""
        if not self.exists():
            return False
        shown = run(self.enter("ip", "-json", "address", "show", "dev", "management"), deadline=_SECONDS).stdout
        return any(a["local"] == self.facts.bmcs[node] for link in json.loads(shown) for a in link["addr_info"])

    def _bmc(self, node: str) -> list[str]:
        return [f"{self.facts.bmcs[node]}/32", "dev", "management"]


def tap(node: str, network: str) -> str:
    """The tap's name; the network is a number in it because an interface's name has 15 characters at most."""
    return f"{node}-{NETWORKS.index(network)}"
