"""What Grafana shows of the exporter."""
