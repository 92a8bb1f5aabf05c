"""The judge on real nodes: everything else is believed because of its word, so it must see a loss made on purpose."""

from __future__ import annotations

from tests.lab.handle import LabHandle


def test_loss_made_on_purpose_is_reported(lab: LabHandle) -> None:
    """Announced records are overwritten below the running guest, on the device it uses."""
    assert lab.score()["mail"]["lost"] == 0
    host = lab.host_of("mail")
    assert host is not None
    # 64 KiB at the start of the ring: 128 records, all announced since the lab came up.
    lab.node(host, "dd", "if=/dev/zero", "of=/dev/drbd1", "bs=64k", "count=1", "oflag=direct", "conv=notrunc")
    score = lab.score()
    lab.lab("score", "--reset")
    assert score["mail"]["lost"] > 0
    assert score["web"]["lost"] == score["db"]["lost"] == 0
    assert lab.score()["mail"]["lost"] == 0, "a new measurement leaves out what the last one reported"
