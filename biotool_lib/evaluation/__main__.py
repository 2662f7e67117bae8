"""`python -m biotool_lib.evaluation --run RUN` scores a run; `python -m biotool_lib.evaluation published FILE…` applies the published rules."""

import sys

from biotool_lib.evaluation.published import main as published
from biotool_lib.road import main

sys.exit(published(sys.argv[2:]) if sys.argv[1:2] == ["published"] else main(stage="evaluation"))
