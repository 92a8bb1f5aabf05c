"""Colours, and what a number means. Green is earned: it takes a value that says that all is well.

A threshold's first step also colours what has no value, and so it is grey everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models.dashboard import (
    DashboardSpecialValueMapOptions,
    SpecialValueMap,
    SpecialValueMatch,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

GREEN: Final = "green"
BLUE: Final = "blue"
YELLOW: Final = "yellow"
ORANGE: Final = "orange"
RED: Final = "red"
DARK_RED: Final = "dark-red"
PURPLE: Final = "purple"
GREY: Final = "#8e8e8e"
"""Neither good nor bad."""

NO_DATA: Final = "no data"

Words: TypeAlias = Mapping[int, tuple[str, str]]
"""What a number is called, and its colour."""
Steps: TypeAlias = Sequence[tuple[float, str]]
"""From which value on there is which colour."""

NEUTRAL: Final[Steps] = ()
NONE_IS_GOOD: Final[Steps] = ((0, GREEN), (1, RED))
NONE_IS_BETTER: Final[Steps] = ((0, GREEN), (1, ORANGE))
SOME_IS_NEWS: Final[Steps] = ((0, GREY), (1, ORANGE))
ALL_IS_GOOD: Final[Steps] = ((0, RED), (1, GREEN))
AGE_OF_DATA: Final[Steps] = ((0, GREEN), (120, ORANGE), (180, RED))
AGE_OF_READINESS: Final[Steps] = ((0, GREEN), (300, ORANGE), (600, RED))
AGE_OF_PEER: Final[Steps] = ((0, GREEN), (120, ORANGE), (4 * 3600, RED))
OUT_OF_SYNC: Final[Steps] = ((0, GREEN), (1, ORANGE), (10 * 1024**3, RED))

YES_IS_GOOD: Final[Words] = {0: ("no", RED), 1: ("yes", GREEN)}
NO_IS_GOOD: Final[Words] = {0: ("no", GREEN), 1: ("yes", RED)}
NO_IS_NORMAL: Final[Words] = {0: ("no", GREY), 1: ("yes", ORANGE)}
EITHER: Final[Words] = {0: ("no", GREY), 1: ("yes", BLUE)}
SUCCESS: Final[Words] = {0: ("failed", RED), 1: ("ok", GREEN)}
UP: Final[Words] = {0: ("does not answer", RED), 1: ("answers", GREEN)}
ACTIVE_HOSTS: Final[Words] = {0: ("nowhere", ORANGE), 1: ("one host", GREEN), 2: ("two hosts", DARK_RED)}
WINDOW: Final[Words] = {0: ("closed", GREY), 1: ("open", ORANGE)}
GUARD: Final[Words] = {0: ("no guard", RED), 1: ("guarded", GREEN)}
SUSPENDED: Final[Words] = {0: ("runs", GREEN), **dict.fromkeys(range(1, 6), ("suspended", RED))}

_DISK: Final = {
    "Diskless": RED,
    "Attaching": YELLOW,
    "Detaching": RED,
    "Failed": DARK_RED,
    "Negotiating": YELLOW,
    "Inconsistent": ORANGE,
    "Outdated": ORANGE,
    "DUnknown": PURPLE,
    "Consistent": YELLOW,
    "UpToDate": GREEN,
    "other": PURPLE,
}
_ROLE: Final = {"Unknown": PURPLE, "Primary": BLUE, "Secondary": GREY, "other": PURPLE}

STATES: Final[Mapping[str, Mapping[str, str]]] = {
    "dualsrm_guest_state": {
        "nostate": PURPLE,
        "running": GREEN,
        "blocked": GREEN,
        "paused": ORANGE,
        "shutdown": YELLOW,
        "shutoff": GREY,
        "crashed": DARK_RED,
        "pmsuspended": YELLOW,
        "other": PURPLE,
    },
    "dualsrm_drbd_role": _ROLE,
    "dualsrm_drbd_connection_state": {
        "StandAlone": DARK_RED,
        "Disconnecting": ORANGE,
        "Unconnected": ORANGE,
        "Timeout": ORANGE,
        "BrokenPipe": ORANGE,
        "NetworkFailure": ORANGE,
        "ProtocolError": RED,
        "TearDown": ORANGE,
        "Connecting": ORANGE,
        "Connected": GREEN,
        "other": PURPLE,
    },
    "dualsrm_drbd_disk_state": _DISK,
    "dualsrm_drbd_peer_disk_state": _DISK,
    "dualsrm_drbd_replication_state": {
        "Off": RED,
        "Established": GREEN,
        "StartingSyncS": YELLOW,
        "StartingSyncT": YELLOW,
        "WFBitMapS": YELLOW,
        "WFBitMapT": YELLOW,
        "WFSyncUUID": YELLOW,
        "SyncSource": BLUE,
        "SyncTarget": BLUE,
        "VerifyS": BLUE,
        "VerifyT": BLUE,
        "PausedSyncS": ORANGE,
        "PausedSyncT": ORANGE,
        "Ahead": ORANGE,
        "Behind": ORANGE,
        "other": PURPLE,
    },
}
"""The states of a stateset in the exporter's order, each with its colour; a test holds them to its table."""


def state_words(metric: str) -> Words:
    """The numbers by which a timeline draws a stateset: `queries.coded` counts from 1, 0 is no state at all."""
    return dict(enumerate(STATES[metric].items(), 1))


def mappings(words: Words) -> list[ValueMapping]:
    """Words in place of numbers, `no data` in place of nothing."""
    nothing = DashboardSpecialValueMapOptions(
        SpecialValueMatch.NULL_AND_NAN, ValueMappingResult(text=NO_DATA, color=GREY, index=len(words))
    )
    named = {
        str(number): ValueMappingResult(text=text, color=color, index=index)
        for index, (number, (text, color)) in enumerate(words.items())
    }
    return [*([ValueMap(named)] if named else []), SpecialValueMap(nothing)]


def threshold_steps(steps: Steps) -> list[Threshold]:
    """Grey below the first of them, and where there is no value."""
    return [Threshold(None, GREY), *(Threshold(float(value), color) for value, color in steps)]


def thresholds(steps: Steps) -> build.ThresholdsConfig:
    """For a panel."""
    return build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(threshold_steps(steps))
