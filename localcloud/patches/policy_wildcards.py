"""The wildcards of IAM policies match every character.

AWS: `*` matches any combination of characters and `?` any single one (IAM User Guide, reference_policies_elements,
resource). An S3 key can contain a newline, and `arn:aws:s3:::bucket/*` includes it.
ministack 1.5.33: compiles them to a regular expression whose dot stops at a newline, so such a key is denied; and an
exact pattern also matches text with an additional newline at its end.

Replaces `iam_evaluator._fnmatch_compile`.
"""

import re
from functools import lru_cache

from ministack.core import iam_evaluator

from localcloud.patches.seam import Seam, check

SEAMS = (Seam("ministack.core.iam_evaluator", "_fnmatch_compile", ("pattern", "ignore_case")),)

_WILDCARDS = {"*": ".*", "?": "."}


def install() -> None:
    """Match newlines."""
    check(SEAMS)
    iam_evaluator._fnmatch_compile = compiled


@lru_cache(maxsize=4096)
def compiled(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    """A policy's pattern as a regular expression."""
    expression = "".join(_WILDCARDS.get(character) or re.escape(character) for character in pattern)
    return re.compile(rf"{expression}\Z", re.DOTALL | (re.IGNORECASE if ignore_case else 0))
