"""Why an upload has no analysis."""

from dataclasses import dataclass

#: Maximum lengths, in characters. A failed execution's cause can have 32,768 (Step Functions API reference).
MAX_CODE = 128
MAX_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an upload has no analysis: a short code, from the service or from us, and a sentence for people."""

    code: str
    message: str

    @classmethod
    def reported(cls, code: str, message: str) -> "Failure":
        """A failure with a code and message from elsewhere, shortened so that items and flags have room for it."""
        return cls(_valid_unicode(code)[:MAX_CODE], _valid_unicode(message)[:MAX_MESSAGE])

    def to_document(self) -> dict[str, str]:
        """The failure as written into flags, items and indexes."""
        return {"code": self.code, "message": self.message}


def _valid_unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # JSON can escape half of a surrogate pair; DynamoDB refuses it
