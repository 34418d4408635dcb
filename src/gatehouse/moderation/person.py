"""A person who decides, identified by their AWS identity."""

from dataclasses import dataclass

#: Prefix of `decided_by` if a person decided.
PREFIX = "person:"


@dataclass(frozen=True, slots=True)
class Person:
    """A person.

    Attributes:
        id: from the STS identity; see `of_arn`.
        name: a display name that the person chose, not verified; or None.
    """

    id: str
    name: str | None = None

    @classmethod
    def of_arn(cls, arn: str, name: str | None = None) -> "Person":
        """The person behind the ARN that GetCallerIdentity returns.

        A user's id is the user name. An assumed role's is `<role>/<session>`: whoever assumes the role chooses the
        session name, unless the role's trust policy requires the user name (IAM User Guide,
        reference_policies_iam-condition-keys.html, sts:RoleSessionName). With IAM Identity Center it is the user name.

        Raises:
            ValueError: it is not the ARN of an identity.
        """
        # arn:aws:iam::<account>:user/<path>/<name>, arn:aws:sts::<account>:assumed-role/<role>/<session>,
        # arn:aws:sts::<account>:federated-user/<name>, arn:aws:iam::<account>:root (IAM User Guide,
        # reference_identifiers.html).
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[5]:
            raise ValueError(f"{arn!r} is not the ARN of an identity")
        kind, _, rest = parts[5].partition("/")
        match kind:
            case "user" if rest:
                return cls(rest.rpartition("/")[2], name)
            case "assumed-role" if rest:
                return cls(rest, name)
            case "root":
                return cls("account/root", name)  # user names can't contain a slash
            case _:
                return cls(parts[5], name)

    @property
    def decided_by(self) -> str:
        """The person as named in items and flags."""
        return f"{PREFIX}{self.id}"


def is_person(decided_by: str | None) -> bool:
    """Whether a person decided."""
    return decided_by is not None and decided_by.startswith(PREFIX)
