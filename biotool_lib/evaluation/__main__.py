"""`python -m biotool_lib.evaluation --run RUN` scores a run's models; `published FILE…` applies the published rules; `hosted` and `in-context`
predict with other models, and `score` scores whatever was predicted."""

import sys

from biotool_lib.evaluation.commands import COMMANDS
from biotool_lib.evaluation.commands import main as command
from biotool_lib.evaluation.published import main as published
from biotool_lib.road import main

given = sys.argv[1:]
if given[:1] == ["published"]:
    sys.exit(published(given[1:]))
sys.exit(command(given) if given and given[0] in COMMANDS else main(stage="evaluation"))
