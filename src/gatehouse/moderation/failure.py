"""Why an upload has no analysis."""

from dataclasses import dataclass

#: Characters kept of a reported failure. A failed execution's cause may have 32,768 (Step Functions API reference).
MAX_CODE = 128
MAX_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an upload has no analysis: a short code, as the service or we gave it, and a sentence for people."""

    code: str
    message: str

    @classmethod
    def reported(cls, code: str, message: str) -> "Failure":
        """A failure in someone else's words, cut to what an item and a flag have room for a hundredfold."""
        return cls(_valid_unicode(code)[:MAX_CODE], _valid_unicode(message)[:MAX_MESSAGE])

    def to_document(self) -> dict[str, str]:
        """The failure as flags, items and indexes carry it."""
        return {"code": self.code, "message": self.message}


def _valid_unicode(text: str) -> str:
    return text.encode("utf-8", "replace").decode()  # JSON can escape half a surrogate pair; DynamoDB refuses it
