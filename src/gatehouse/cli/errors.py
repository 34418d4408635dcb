"""What went wrong, in one sentence that says what to do next."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

#: What a shell reports of a command that Ctrl-C ended: 128 and the signal's number.
INTERRUPTED = 130

_SIGN_IN = (
    "sign in (aws sso login, aws configure), name a profile with --profile, or set AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY"
)
_ENDPOINT = (
    "check the network and the address in --endpoint-url or AWS_ENDPOINT_URL; the local cloud answers only while "
    "`make local` runs in a checkout of Gatehouse"
)

# Codes of ClientErrors, by what helps (API references of the services, "Common errors").
_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"})
_NOT_ACCEPTED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "TooManyUpdates",
    }
)
_GONE = frozenset({"404", "NoSuchBucket", "NotFound", "ParameterNotFound", "ResourceNotFoundException"})


class CommandError(Exception):
    """Why a command can't do what was asked: one sentence for the user, with what to do about it."""


def is_denied(error: Exception) -> bool:
    """Whether AWS refused a call for lack of a permission."""
    from botocore.exceptions import ClientError

    return isinstance(error, ClientError) and error.response["Error"].get("Code") in _DENIED


def is_throttled(error: Exception) -> bool:
    """Whether AWS refused a call because there were too many."""
    from botocore.exceptions import ClientError

    return isinstance(error, ClientError) and error.response["Error"].get("Code") in _THROTTLED


def user_message(error: Exception) -> str | None:
    """What to tell the user about an error that may happen to anyone; None for one that is a mistake of ours."""
    # Imported late: a command that works offline need not load the AWS SDK, and one that works needs none of this.
    from botocore.exceptions import BotoCoreError, ClientError

    from gatehouse.aws.queue_sender import MessageNotSentError
    from gatehouse.aws.verdict_table import VerdictTableBusyError
    from gatehouse.configuration.settings_section import SettingsError
    from gatehouse.moderation.decision import DecisionRefusedError
    from gatehouse.moderation.flag_publisher import FlagNotPublishedError
    from gatehouse.moderation.policy.policy_document import PolicyError

    if isinstance(error, ClientError):
        sentence = _answered(error)
    elif isinstance(error, BotoCoreError):
        sentence = _unanswered(error)
    elif isinstance(error, FlagNotPublishedError | MessageNotSentError | VerdictTableBusyError):
        sentence = f"{error}; run the same command again later"
    elif isinstance(error, CommandError | DecisionRefusedError | PolicyError | SettingsError):
        sentence = str(error)
    else:
        return None
    return " ".join(sentence.split())


def _answered(error: "ClientError") -> str:
    """About a call that AWS refused."""
    code = error.response["Error"].get("Code", "unknown")
    message = error.response["Error"].get("Message", "").rstrip(".") or code
    call = error.operation_name
    if code in _DENIED:
        return (
            f"{call} was refused: {message}. Ask whoever manages the account for that permission, or choose other "
            "credentials with --profile."
        )
    if code in _NOT_ACCEPTED:
        return f"AWS does not accept these credentials ({code}: {message}); {_SIGN_IN}."
    if code in _THROTTLED:
        return f"AWS asks for fewer calls ({call}: {code}); wait a minute and run the same command again."
    if code in _GONE:
        return (
            f"{call} found nothing ({message}): something the deployment names does not exist. `make diff`, in a "
            "checkout of Gatehouse, shows what is missing."
        )
    return f"{call} failed ({code}: {message}); if running it again does not help, look that code up in its reference."


def _unanswered(error: Exception) -> str:
    """About a call that never got as far as an answer."""
    from botocore import exceptions

    message = str(error).rstrip(".")
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return f"No AWS credentials were found; {_SIGN_IN}."
    if isinstance(
        error,
        exceptions.CredentialRetrievalError
        | exceptions.LoginError
        | exceptions.SSOError
        | exceptions.TokenRetrievalError,
    ):
        return f"The AWS credentials could not be read ({message}); {_SIGN_IN}."
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{message}; `aws configure list-profiles` lists those there are."
    if isinstance(error, exceptions.NoRegionError):
        return "No AWS Region is chosen; name it with --region, in AWS_REGION or in your profile."
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        return f"AWS can't be reached ({message}); {_ENDPOINT}"
    return f"{message}; check the AWS settings of your shell (aws configure list)."
