"""Command line of this stage; see `--help`."""

import sys

from biotool_lib.road import main

if __name__ == "__main__":
    sys.exit(main(stage="dataset"))
