"""Writes the JSON files."""

from __future__ import annotations

from grafana.dashboards.files import write

if __name__ == "__main__":
    write()
