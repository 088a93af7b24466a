"""Whom a client of a store trusts."""

from __future__ import annotations

import ssl

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.objectstore.failures import Failure


def trust_of(ca_file: str, *, field: str) -> ssl.SSLContext:
    """What a server's certificate is checked against: the system's authorities, and those of the file if given."""
    try:
        trust = ssl.create_default_context()
        if ca_file:
            trust.load_verify_locations(ca_file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Failure(ExitCode.InvalidConfig, field, f"{ca_file} holds no certificates to trust: {reason}") from error
    return trust
