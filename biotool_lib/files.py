"""Reading YAML, fast: the C parser where PyYAML was built with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; an empty file is an empty mapping."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {}
