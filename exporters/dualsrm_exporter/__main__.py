"""`python -m dualsrm_exporter`."""

import sys

from dualsrm_exporter.main import main

sys.exit(main())
