"""Training of the tool caller. Run with `python -m biotool_lib.training --run runs/laptop --recipe laptop`."""

from .recipe import Recipe, load_recipe, with_menu
from .train import make_untrained, train

__all__ = ["Recipe", "load_recipe", "make_untrained", "train", "with_menu"]
