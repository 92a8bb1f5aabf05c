"""The two dashboards, made of panels: `python -m grafana.dashboards` writes the JSON files that Grafana reads."""
