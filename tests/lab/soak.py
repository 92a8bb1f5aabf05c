"""Ten moves of each guest in one lab, back and forth: `tests/run soak`.

Too long for every landing, so its name is not one that pytest collects by itself.
"""

from __future__ import annotations

import pytest

from tests.lab.handle import HOSTS, RESOURCES, LabHandle

MOVES = 10


@pytest.mark.timeout(3600)
def test_ten_moves_of_each_guest(lab: LabHandle) -> None:
    lab.lab("score", "--reset")
    changes = {host: lab.connection_changes(host) for host in HOSTS}
    for _ in range(MOVES):
        for guest in RESOURCES:
            result = lab.migrate(guest).document["result"]
            assert result["state"] == "moved", result
            assert lab.host_of(guest) == result["target"]
            assert not any(lab.window_open(host) for host in HOSTS)
            print(
                f"{guest} -> {result['target']}: outage {result['outage_s'] * 1000:.0f} ms, "
                f"window {result['window_s']:.1f} s, total {result['total_s']:.1f} s"
            )
    assert {host: lab.connection_changes(host) for host in HOSTS} == changes, "replication left Connected"
    score = lab.score()
    assert {guest: score[guest]["lost"] for guest in RESOURCES} == dict.fromkeys(RESOURCES, 0)
    assert all(score[guest]["announced"] > 0 for guest in RESOURCES)
