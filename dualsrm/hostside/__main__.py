"""`python3 -m dualsrm.hostside`."""

import sys

from dualsrm.hostside.main import main

sys.exit(main())
