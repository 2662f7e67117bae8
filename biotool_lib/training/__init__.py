"""Training of the tool caller. Run with `python -m biotool_lib.training --run runs/laptop --recipe laptop`."""

from .recipe import Recipe, load_recipe, recipe_of, with_menu
from .save import push_to_hub
from .train import make_untrained, train

__all__ = ["Recipe", "load_recipe", "make_untrained", "push_to_hub", "recipe_of", "train", "with_menu"]
