"""BioTool Book: from the API functions of NCBI, UniProt and Ensembl to a small model that calls them.

>>> import biotool_lib as bt
>>> len(bt.tools())
136
"""

from . import dataset, evaluation
from .catalogue import canonical, tools
from .common.runner import Run, load_run
from .errors import BioToolError, InvalidArguments, InvalidParameter, MissingArtefact, RecordingError
from .gateway import Client, Observation, call_from_url, prepare

__all__ = [
    "BioToolError", "Client", "InvalidArguments", "InvalidParameter", "MissingArtefact", "Observation", "RecordingError", "Run",
    "call_from_url", "canonical", "dataset", "evaluation", "load_run", "prepare", "tools",
]
__version__ = "0.1.0"
