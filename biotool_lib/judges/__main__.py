"""Command line of the calibration; see `--help`."""

import sys

from biotool_lib.judges.calibration import main

if __name__ == "__main__":
    sys.exit(main())
