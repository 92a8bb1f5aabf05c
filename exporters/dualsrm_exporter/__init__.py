"""dualsrm-exporter: what a host knows of its DRBD and of dualsrm's operations, for Prometheus.

metrics/      every metric there is, as data
collected.py  samples by metric
    client.py     the same as prometheus_client's, and as lines
    render.py     pages
scraper.py    one scrape: every collector, each with a deadline
drbd/         collector: DRBD, windows and alarms of this host
guests/       collector: what libvirt of this host knows of its guests
readiness/    collector: what the manager saw when it last looked at both hosts
operations/   collector: the journal of a manager on this host
web/          serving it
"""
