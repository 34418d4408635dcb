"""Names of settings in PascalCase, as in CloudFormation's ids."""


def pascal_case(name: str) -> str:
    """`profile-pictures` as `ProfilePictures`."""
    return "".join(part.capitalize() for part in name.split("-"))
