"""What a BMC runs to see or switch its node's power: `python -m uml.chassis LAB NODE get power`, `... set power 0`.

The words are those of ipmi_sim's chassis_control. It answers nobody while this runs, so nothing here waits for a boot.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Final

from uml import bmc
from uml.errors import LabError
from uml.lab import Lab
from uml.layout import Layout

SLOW_S: Final = 8.0
"""A slow one takes so long to switch. ipmitool asks again after 1 s, and gives up after about 20."""


def main(lab: str, node: str, words: Sequence[str]) -> int:
    """Do it and return the exit code; anything but 0 makes the BMC answer its client with an error."""
    the = Lab(Layout(lab), lambda _text: None)
    mood = bmc.mood(the.layout.bmc(node))
    if mood is bmc.Mood.SLOW and words[0] == "set":
        time.sleep(SLOW_S)
    match words:
        case ["set", "power", "0"] if mood is bmc.Mood.LIES:
            pass
        case ["get", "power"]:
            sys.stdout.write(f"power:{int(the.draws_power(node))}\n")
        case ["set", "power", "0"]:
            the.switch_off(node)
        case ["set", "power", "1"]:
            the.switch_on(node)
        case ["set", "reset", _]:
            the.switch_off(node)
            the.switch_on(node)
        case _:
            sys.stderr.write(f"not something this power switch can do: {' '.join(words)}\n")
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
    except LabError as error:
        sys.exit(str(error))
