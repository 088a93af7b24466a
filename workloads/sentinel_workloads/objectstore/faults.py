"""What an answer of an S3-compatible store means: for good, for now, or that the object is another one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore import exceptions

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.objectstore.failures import ChangedError, CorruptError, Failure, MissingError, TransientError
from sentinel_workloads.objectstore.place import Place

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
def translated(place: Place, *, key: str = "") -> Iterator[None]:
    """Turns what botocore and aiohttp raise into Failure, TransientError and ChangedError."""
    uri = f"s3://{place.bucket}/{key}" if key else place.uri
    where = f"{uri} at {place.access.endpoint or 'AWS ' + place.access.region}"
    try:
        yield
    except exceptions.ClientError as error:
        hint = DIRECTORY_HINT if not place.uri.endswith("/") else ""
        raise meaning_of(error, where=where, field=place.field, hint=hint) from error
    except exceptions.FlexibleChecksumError as error:
        raise CorruptError(f"{where}: {error}", field=f"{place.field}.uri") from error
    except (exceptions.NoCredentialsError, exceptions.PartialCredentialsError) as error:
        message = f"no complete credentials for {where}: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set"
        raise Failure(ExitCode.AccessDenied, f"{place.field}.credentialsSecretRef", message) from error
    except (exceptions.CredentialRetrievalError, FileNotFoundError) as error:
        message = f"the credentials for {where} cannot be read: {type(error).__name__}"
        raise Failure(ExitCode.AccessDenied, f"{place.field}.credentialsSecretRef", message) from error
    except exceptions.InvalidRegionError as error:
        raise Failure(ExitCode.InvalidConfig, f"{place.field}.region", str(error)) from error
    except (exceptions.ParamValidationError, exceptions.UnknownServiceError) as error:
        raise Failure(ExitCode.InvalidConfig, f"{place.field}.uri", f"{where}: {error}") from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError, aiohttp.ClientError, TimeoutError) as error:
        raise unreachable(error, where=where, place=place) from error
    except (exceptions.BotoCoreError, ssl.SSLError, OSError, ValueError) as error:
        message = f"{where}: {type(error).__name__}: {error}"
        raise Failure(ExitCode.InvalidConfig, place.access_field, message) from error


def meaning_of(error: exceptions.ClientError, *, where: str, field: str, hint: str = "") -> Exception:
    """What an error answer means. Only its code is repeated: stores echo parts of requests in their messages."""
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = f"{where} answered {code or status}" + (f" ({status})" if code and code != str(status) else "")
    if status in {412, 416} or code in {"PreconditionFailed", "InvalidRange"}:
        return ChangedError(f"{where} is no longer the object that was listed")
    if status in {429, 500, 502, 503, 504} or code in BUSY:
        return TransientError(said, field=f"{field}.uri")
    if code in OTHER_REGION:
        return Failure(ExitCode.InvalidConfig, f"{field}.region", f"{said}: the bucket lies in another region")
    if code in MISSING or (status == 404 and code not in DENIED):
        kind = Failure if code == "NoSuchBucket" else MissingError
        return kind(ExitCode.NotFound, f"{field}.uri", said + (hint if code == "NoSuchKey" else ""))
    if code in DENIED or status in {401, 403}:
        return Failure(ExitCode.AccessDenied, f"{field}.credentialsSecretRef", said)
    return Failure(ExitCode.InvalidConfig, f"{field}.uri", said)


def unreachable(error: Exception, *, where: str, place: Place) -> Exception:
    """A fault of the connection; one of trust does not pass by waiting."""
    cause: BaseException | None = error
    while cause is not None:
        # aiohttp's own is one too, but does not say what is wrong.
        if isinstance(cause, ssl.SSLCertVerificationError) and not isinstance(cause, aiohttp.ClientError):
            message = f"{where}: the server's certificate is not trusted: {cause.verify_message}"
            return Failure(ExitCode.StorageUnreachable, f"{place.field}.caBundle", message)
        cause = cause.__cause__ or cause.__context__
    kind = "timed out" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
    return TransientError(f"{where}: {kind}", field=place.access_field)
