"""Collector guests: what libvirt on this host knows of its guests."""
