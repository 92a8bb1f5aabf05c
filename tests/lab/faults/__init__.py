"""Faults put into a running move at random moments, in the lab, and what became of the guest.

`python -m tests.lab.faults --help`. `rows.py` is the table, `play.py` plays one run of it, `judge.py` decides.
"""
