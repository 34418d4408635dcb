"""Names of settings in the form that CloudFormation's ids have."""


def pascal_case(name: str) -> str:
    """`profile-pictures` as `ProfilePictures`."""
    return "".join(part.capitalize() for part in name.split("-"))
