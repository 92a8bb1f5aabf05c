"""From what two hosts say of themselves to a configuration of them: the network, the guests, the text. Pure."""

from __future__ import annotations

from dualsrm.setup.draft import Draft, Fence, GuestDraft, HostDraft
from dualsrm.setup.file import render
from dualsrm.setup.guests import guests_of
from dualsrm.setup.missing import missing
from dualsrm.setup.networks import MemoryNetwork, memory_network

__all__ = [
    "Draft",
    "Fence",
    "GuestDraft",
    "HostDraft",
    "MemoryNetwork",
    "guests_of",
    "memory_network",
    "missing",
    "render",
]
