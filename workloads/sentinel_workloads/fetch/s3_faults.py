"""What an answer of an S3-compatible store means: for good, for now, or that the object is another one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore import exceptions

from sentinel_operator.api.serving import ExitCode, FetchConfig
from sentinel_workloads.fetch.failures import ChangedError, Failure, TransientError

FIELD = "spec.model.source.objectStore"
DIRECTORY_HINT = " (the address of a directory ends with /)"
DENIED = {
    "AccessDenied",
    "AccountProblem",
    "AllAccessDisabled",
    "AuthorizationQueryParametersError",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidIdentityToken",
    "InvalidToken",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
}
MISSING = {"NoSuchBucket", "NoSuchKey", "NoSuchVersion"}
OTHER_REGION = {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect"}
BUSY = {
    "IDPCommunicationError",
    "InternalError",
    "OperationAborted",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
}


@contextmanager
def translated(config: FetchConfig, *, key: str = "") -> Iterator[None]:
    """Turns what botocore and aiohttp raise into Failure, TransientError and ChangedError."""
    uri = f"s3://{config.uri.removeprefix('s3://').partition('/')[0]}/{key}" if key else config.uri
    where = f"{uri} at {config.object_store.endpoint or 'AWS ' + config.object_store.region}"
    try:
        yield
    except exceptions.ClientError as error:
        raise meaning_of(error, where=where, hint=DIRECTORY_HINT if not config.uri.endswith("/") else "") from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        message = f"no complete credentials for {where}: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set"
        raise Failure(ExitCode.AccessDenied, f"{FIELD}.credentialsSecretRef", message) from error
    except (exceptions.CredentialRetrievalError, FileNotFoundError) as error:
        message = f"the credentials for {where} cannot be read: {type(error).__name__}"
        raise Failure(ExitCode.AccessDenied, f"{FIELD}.credentialsSecretRef", message) from error
    except exceptions.InvalidRegionError as error:
        raise Failure(ExitCode.InvalidConfig, f"{FIELD}.region", str(error)) from error
    except (exceptions.ParamValidationError, exceptions.UnknownServiceError) as error:
        raise Failure(ExitCode.InvalidConfig, f"{FIELD}.uri", f"{where}: {error}") from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError, aiohttp.ClientError, TimeoutError) as error:
        raise unreachable(error, where=where, config=config) from error
    except (exceptions.BotoCoreError, ssl.SSLError, OSError, ValueError) as error:
        message = f"{where}: {type(error).__name__}: {error}"
        raise Failure(ExitCode.InvalidConfig, f"{FIELD}.{_access_field(config)}", message) from error


def meaning_of(error: exceptions.ClientError, *, where: str, hint: str = "") -> Exception:
    """What an error answer means. Only its code is repeated: stores echo parts of requests in their messages."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"{where} answered {code or status}" + (f" ({status})" if code and code != str(status) else "")
    if status in {412, 416} or code in {"PreconditionFailed", "InvalidRange"}:
        return ChangedError(f"{where} is no longer the object that was listed")
    if status in {429, 500, 502, 503, 504} or code in BUSY:
        return TransientError(said, field=f"{FIELD}.uri")
    if code in OTHER_REGION:
        return Failure(ExitCode.InvalidConfig, f"{FIELD}.region", f"{said}: the bucket lies in another region")
    if code in MISSING or (status == 404 and code not in DENIED):
        return Failure(ExitCode.NotFound, f"{FIELD}.uri", said + (hint if code == "NoSuchKey" else ""))
    if code in DENIED or status in {401, 403}:
        return Failure(ExitCode.AccessDenied, f"{FIELD}.credentialsSecretRef", said)
    return Failure(ExitCode.InvalidConfig, f"{FIELD}.uri", said)


def unreachable(error: Exception, *, where: str, config: FetchConfig) -> Exception:
    """A fault of the connection; one of trust does not pass by waiting."""
    cause: BaseException | None = error
    while cause is not None:
        # aiohttp's own is one too, but does not say what is wrong.
        if isinstance(cause, ssl.SSLCertVerificationError) and not isinstance(cause, aiohttp.ClientError):
            message = f"{where}: the server's certificate is not trusted: {cause.verify_message}"
            return Failure(ExitCode.StorageUnreachable, f"{FIELD}.caBundle", message)
        cause = cause.__cause__ or cause.__context__
    kind = "timed out" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
    return TransientError(f"{where}: {kind}", field=f"{FIELD}.{_access_field(config)}")


def _access_field(config: FetchConfig) -> str:
    return "endpoint" if config.object_store.endpoint else "uri"
