"""What the local cloud does not check, so that a template test has to."""

from fnmatch import fnmatchcase

#: Actions, as a pattern -> why taking one away would change nothing here. tests/stacks/test_permissions.py proves of
#: each that it is granted to the roles whose function or machine asks for it, and to no other.
UNCHECKED = {
    "kms:*": "a key is stored, and nothing is encrypted",
    "xray:*": "ministack keeps no traces",
    "logs:*": "Lambda's and Step Functions' log delivery is the local cloud's own, and asks nobody",
}


def is_checked(action: str) -> bool:
    """Whether the local cloud refuses this action to a role that lacks it."""
    return not any(fnmatchcase(action, pattern) for pattern in UNCHECKED)


def reason(action: str) -> str:
    """Why it does not.

    Raises:
        StopIteration: it does.
    """
    return next(why for pattern, why in UNCHECKED.items() if fnmatchcase(action, pattern))
