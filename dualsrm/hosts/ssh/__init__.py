"""SSH to a host: one kept connection, verified strictly, carrying commands and libvirt alike."""

from dualsrm.hosts.ssh.connection import SshConnection
from dualsrm.hosts.ssh.execute import Completed
from dualsrm.hosts.ssh.settings import SshSettings

__all__ = ["Completed", "SshConnection", "SshSettings"]
