"""libvirt on a host, through the SSH connection the host already has."""
