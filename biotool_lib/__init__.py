"""BioTool Book: from the API functions of NCBI, UniProt and Ensembl to a small model that calls them.

>>> import biotool_lib as bt
>>> len(bt.tools())
136
"""

from .catalogue import canonical, tools
from .errors import BioToolError, InvalidArguments
from .gateway import Client, Observation, call_from_url, prepare

__all__ = ["BioToolError", "Client", "InvalidArguments", "Observation", "call_from_url", "canonical", "prepare", "tools"]
__version__ = "0.1.0"
