"""From a call to an observation: the request, the three backends, and what came back."""

from .client import Client, Observation
from .live import Limits
from .request import call_from_url, prepare

__all__ = ["Client", "Limits", "Observation", "call_from_url", "prepare"]
