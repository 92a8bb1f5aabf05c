"""The one DRBD reader: the texts of /proc/drbd, `drbdsetup events2`, `drbdsetup show` and `drbdadm` as values.

Pure, and on the standard library and `dualsrm.model` only: the manager, the programs on the hosts and the exporter all
read DRBD through it.
"""

from dualsrm.hosts.drbd.events2 import EndOfDump as EndOfDump
from dualsrm.hosts.drbd.events2 import Event as Event
from dualsrm.hosts.drbd.events2 import HelperResult as HelperResult
from dualsrm.hosts.drbd.events2 import Line as Line
from dualsrm.hosts.drbd.events2 import Malformed as Malformed
from dualsrm.hosts.drbd.events2 import Skipped as Skipped
from dualsrm.hosts.drbd.events2 import helper_result as helper_result
from dualsrm.hosts.drbd.events2 import parse_line as parse_line
from dualsrm.hosts.drbd.objects import Key as Key
from dualsrm.hosts.drbd.progress import Progress as Progress
from dualsrm.hosts.drbd.progress import read_progress as read_progress
from dualsrm.hosts.drbd.show import Shown as Shown
from dualsrm.hosts.drbd.show import ShowSyntaxError as ShowSyntaxError
from dualsrm.hosts.drbd.show import parse_show as parse_show
from dualsrm.hosts.drbd.show import read_show as read_show
from dualsrm.hosts.drbd.store import Store as Store
from dualsrm.hosts.drbd.version import Dialect as Dialect
from dualsrm.hosts.drbd.version import ModuleVersion as ModuleVersion
from dualsrm.hosts.drbd.version import VersionError as VersionError
from dualsrm.hosts.drbd.version import fencing_verb as fencing_verb
from dualsrm.hosts.drbd.version import parse_version as parse_version
from dualsrm.hosts.drbd.view import DumpError as DumpError
from dualsrm.hosts.drbd.view import drbd_view as drbd_view
