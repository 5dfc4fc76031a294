"""Pushing a folder of weights to the Hugging Face Hub; the token is the environment's or the login's."""

from __future__ import annotations

from pathlib import Path

from paft.errors import ConfigError, PaftError


def check_push(repository: str, base: str | None = None) -> None:
    """Make sure, before anything is computed, that a push to ``owner/name`` can succeed.

    Args:
        repository: The repository.
        base: Base model of the adapter to push; None for a whole model.

    Raises:
        ConfigError: If the name is malformed, there is no token, or the base is a folder here.
        PaftError: If the Hub cannot be reached or refuses the token.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise ConfigError(f"--push-to-hub {repository!r}: {error}") from None
    if base is not None and Path(base).is_dir():
        raise ConfigError(
            f"--push-to-hub: the adapter's base is the folder {base}, which others do not have: add --merge, "
            "or name the base on the Hub by --base"
        )
    if get_token() is None:
        raise ConfigError("--push-to-hub needs a token: set HF_TOKEN, or log in by `hf auth login`")
    try:
        HfApi().whoami()
    except Exception as error:  # the library raises many unrelated types for one cause
        raise PaftError(_failed(repository, error)) from error


def push(folder: Path, repository: str, *, private: bool) -> str:
    """Upload a folder, making the repository if it is new; return its address.

    Raises:
        PaftError: If the Hub cannot be reached or refuses; the folder stays.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        url = api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message="Upload by paft export")
    except Exception as error:  # as above
        raise PaftError(
            f"{_failed(repository, error)}. {folder} is complete: `hf upload {repository} {folder}` does "
            "the rest"
        ) from error
    return str(url)


def _failed(repository: str, error: Exception) -> str:
    detail = str(error).strip().splitlines()[0] if str(error).strip() else "no detail"
    return (
        f"cannot push to {repository} on the Hub ({type(error).__name__}: {detail}): check the network and "
        "that the token may write"
    )
