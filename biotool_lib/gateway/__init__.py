"""From a call to an observation: the request, the three backends, and what came back."""

from .client import Client, Observation
from .request import call_from_url, prepare

__all__ = ["Client", "Observation", "call_from_url", "prepare"]
