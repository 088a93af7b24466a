"""What answers of an S3-compatible store mean."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from sentinel_operator.api.serving import ExitCode
from sentinel_workloads.objectstore.failures import ChangedError, Failure, TransientError
from sentinel_workloads.objectstore.faults import meaning_of

STORE = "spec.model.source.objectStore"


def an_answer(status: int, code: str) -> ClientError:
    error = {"Code": code, "Message": "the secret is hunter2"}
    return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")


@pytest.mark.parametrize(
    ("status", "code", "meaning", "field"),
    [
        (404, "NoSuchKey", ExitCode.NotFound, "uri"),
        (404, "NoSuchBucket", ExitCode.NotFound, "uri"),
        (404, "404", ExitCode.NotFound, "uri"),
        (403, "AccessDenied", ExitCode.AccessDenied, "credentialsSecretRef"),
        (403, "403", ExitCode.AccessDenied, "credentialsSecretRef"),
        (403, "InvalidAccessKeyId", ExitCode.AccessDenied, "credentialsSecretRef"),
        (403, "SignatureDoesNotMatch", ExitCode.AccessDenied, "credentialsSecretRef"),
        (403, "RequestTimeTooSkewed", ExitCode.AccessDenied, "credentialsSecretRef"),
        (400, "ExpiredToken", ExitCode.AccessDenied, "credentialsSecretRef"),
        (400, "InvalidIdentityToken", ExitCode.AccessDenied, "credentialsSecretRef"),
        (401, "Unauthorized", ExitCode.AccessDenied, "credentialsSecretRef"),
        (301, "PermanentRedirect", ExitCode.InvalidConfig, "region"),
        (400, "AuthorizationHeaderMalformed", ExitCode.InvalidConfig, "region"),
        (400, "InvalidArgument", ExitCode.InvalidConfig, "uri"),
        (405, "MethodNotAllowed", ExitCode.InvalidConfig, "uri"),
    ],
)
def test_an_answer_for_good_names_what_to_look_at(status: int, code: str, meaning: ExitCode, field: str) -> None:
    failure = meaning_of(an_answer(status, code), where="s3://b/k at AWS", field=STORE)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.field) == (meaning, f"{STORE}.{field}")
    assert code in failure.message
    assert "hunter2" not in failure.message


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (503, "SlowDown"),
        (500, "InternalError"),
        (502, "502"),
        (504, ""),
        (429, "429"),
        (400, "RequestTimeout"),
        (400, "ThrottlingException"),
    ],
)
def test_an_answer_that_may_pass_is_transient(status: int, code: str) -> None:
    assert isinstance(meaning_of(an_answer(status, code), where="s3://b/k", field=STORE), TransientError)


@pytest.mark.parametrize(("status", "code"), [(412, "PreconditionFailed"), (416, "InvalidRange"), (412, "412")])
def test_another_version_is_a_change(status: int, code: str) -> None:
    assert isinstance(meaning_of(an_answer(status, code), where="s3://b/k", field=STORE), ChangedError)
