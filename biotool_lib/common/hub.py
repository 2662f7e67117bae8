"""Uploads to the Hugging Face hub: of a dataset's folder and of a model's."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InvalidParameter, Problem


def upload(folder: Path, repo_id: str, repo_type: str, *, private: bool, message: str) -> str:
    """Upload a folder as it is, without hidden files, to a repository that is made if there is none; returns the address.

    The token comes from the environment variable HF_TOKEN and from nowhere else. Raises InvalidParameter without one or for an
    impossible name. Example: `upload(Path("runs/laptop/dataset"), "somebody/biotool-book", "dataset", private=True, message="First")`
    """
    from huggingface_hub import HfApi
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    try:
        validate_repo_id(repo_id)
    except HFValidationError as wrong:
        raise InvalidParameter("push_to_hub", [Problem("repo_id", repo_id, f"owner/name; {wrong}")]) from wrong
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token:
        raise InvalidParameter("push_to_hub", [Problem("HF_TOKEN", None, "set this environment variable to a token that may write to the repository")])
    api = HfApi(token=token)
    address = api.create_repo(repo_id, repo_type=repo_type, private=private, exist_ok=True)
    api.upload_folder(repo_id=repo_id, repo_type=repo_type, folder_path=folder, commit_message=message, ignore_patterns=[".*"])
    return str(address)
