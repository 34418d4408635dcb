import pytest

from gatehouse.moderation.person import Person, is_person


@pytest.mark.parametrize(
    ("arn", "identity"),
    [
        ("arn:aws:iam::111122223333:user/ada", "ada"),
        ("arn:aws:iam::111122223333:user/trust/safety/ada", "ada"),
        ("arn:aws-cn:iam::111122223333:user/ada@example.com", "ada@example.com"),
        ("arn:aws:sts::111122223333:assumed-role/Reviewer/ada", "Reviewer/ada"),
        ("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Review_0123456789abcdef/ada@example.com",
         "AWSReservedSSO_Review_0123456789abcdef/ada@example.com"),
        ("arn:aws:sts::111122223333:federated-user/ada", "federated-user/ada"),
        ("arn:aws:iam::111122223333:root", "account/root"),
        ("arn:aws:iam::111122223333:user/root", "root"),
    ],
)  # fmt: skip
def test_a_person_is_known_by_the_arn_that_sts_gives(arn: str, identity: str) -> None:
    person = Person.of_arn(arn, "Ada")

    assert person == Person(identity, "Ada")
    assert person.decided_by == f"person:{identity}"
    assert Person.of_arn(arn).name is None


def test_two_sessions_of_a_role_are_two_people() -> None:
    role = "arn:aws:sts::111122223333:assumed-role/Reviewer"

    assert Person.of_arn(f"{role}/ada") != Person.of_arn(f"{role}/grace")


@pytest.mark.parametrize(
    "arn", ["", "ada", "arn:aws:iam::111122223333", "arn:aws:iam::111122223333:", "urn:aws:iam::111122223333:user/ada"]
)
def test_what_is_no_arn_of_an_identity_is_refused(arn: str) -> None:
    with pytest.raises(ValueError, match="is not the ARN of an identity"):
        Person.of_arn(arn)


@pytest.mark.parametrize(
    ("decided_by", "is_one"),
    [(None, False), ("policy", False), ("alice", False), ("person:ada", True), (Person("ada").decided_by, True)],
)
def test_a_person_is_told_from_a_policy(decided_by: str | None, is_one: bool) -> None:
    assert is_person(decided_by) is is_one
