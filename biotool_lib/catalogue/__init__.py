"""What can be called, and the one canonical form of every call."""

from ..errors import InvalidArguments
from .canonical import canonical, check
from .tool import DATABASES, Catalogue, Parameter, Tool, UnknownFunction, tools

__all__ = ["DATABASES", "Catalogue", "InvalidArguments", "Parameter", "Tool", "UnknownFunction", "canonical", "check", "tools"]
