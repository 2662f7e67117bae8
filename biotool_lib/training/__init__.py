"""Training of the tool caller. Run with `python -m biotool_lib.training --run runs/laptop --recipe laptop`."""

from .recipe import Recipe, in_context, load_recipe
from .train import make_untrained, train

__all__ = ["Recipe", "in_context", "load_recipe", "make_untrained", "train"]
