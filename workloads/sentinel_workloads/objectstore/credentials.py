"""Credentials that lie in a mounted Secret, for a client that shall not use the pod's own."""

from __future__ import annotations

from pathlib import Path

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.objectstore.failures import Failure

_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_SESSION_TOKEN": "aws_session_token",
}


def mounted_credentials(folder: str, *, field: str) -> dict[str, str]:
    """The credentials of a mounted Secret as the client wants them; none where no folder is named."""
    if not folder:
        return {}
    found = {}
    for name, parameter in _CREDENTIALS.items():
        try:
            found[parameter] = (Path(folder) / name).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            if name != "AWS_SESSION_TOKEN":
                message = f"the Secret has no key {name}"
                raise Failure(ExitCode.AccessDenied, f"{field}.credentialsSecretRef", message) from None
        except (OSError, UnicodeDecodeError) as error:
            message = f"key {name} of the Secret cannot be read: {type(error).__name__}"
            raise Failure(ExitCode.AccessDenied, f"{field}.credentialsSecretRef", message) from error
    return found
