"""Who called Rekognition: the identity whose permissions a request, and the job it starts, read and write S3 with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A calling principal. Rekognition only passes it on to the object storage, which knows what it may do.

    `role_arn` is the role a Step Functions execution runs as; `access_key` is the key id that signed an HTTP request.
    `account` (12 digits) and `region` also scope the jobs: neither sees the other's.
    """

    access_key: str | None
    role_arn: str | None
    account: str
    region: str

    @property
    def arn(self) -> str:
        """The principal as error messages name it: the role if there is one, else the account's root."""
        return self.role_arn or f"arn:aws:iam::{self.account}:root"
