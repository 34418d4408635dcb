"""Training data for a Custom Moderation adapter: what people decided, in the documented form.

Sources: Developer Guide, using-adapters-manifest-files.html (forms), adapters-bulk-analysis.html (10,000 images),
using-adapters-tutorial.html (20 false positives and 50 false negatives a label; whether both or either is meant is not
clear there). Which labels can be trained, and whether those of level 3 can, is not documented.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gatehouse.moderation.analysis import Analysis, parse_answer
from gatehouse.moderation.document import MISSHAPEN, of_kind, text
from gatehouse.moderation.opinion import Opinion
from gatehouse.moderation.status import FLAGGED, Status

MAX_IMAGES = 10_000
#: Verified images of a label below which Amazon does not promise that an adapter gets better.
MIN_FALSE_POSITIVES = 20
MIN_FALSE_NEGATIVES = 50

_GROUND_TRUTH = "content-moderation-groundtruth"


def true_labels(opinion: Opinion, label_of_reason: Mapping[str, str]) -> tuple[str, ...] | None:
    """The labels that a picture should have had, by what a person decided; None if that can't be said.

    Nothing, if it should have been approved. Else the labels of the rules that fired, or, where none did, the label
    that `label_of_reason` gives for the reason code of the decision.
    """
    if opinion.persons is Status.APPROVED:
        return ()
    fired = tuple(dict.fromkeys(found.label for found in opinion.reasons)) if opinion.policys in FLAGGED else ()
    if fired:
        return fired
    named = label_of_reason.get(opinion.reason)
    return (named,) if named else None


def training_line(source: str, labels: tuple[str, ...]) -> str:
    """A line of the manifest, without a line end."""
    truth = {"ModerationLabels": [{"Name": name} for name in labels]}
    return json.dumps({"source-ref": source, _GROUND_TRUTH: truth}, ensure_ascii=False, separators=(",", ":"))


@dataclass(slots=True)
class TrainingCounts:
    """Images of training data.

    Attributes:
        images: all of them.
        labeled: images by the label that they should have.
        false_positives: images by label: a rule fired for it, and a person approved the image.
        false_negatives: images by label: they should have it, and no rule fired.
    """

    images: int = 0
    labeled: Counter[str] = field(default_factory=Counter)
    false_positives: Counter[str] = field(default_factory=Counter)
    false_negatives: Counter[str] = field(default_factory=Counter)

    def add(self, opinion: Opinion, labels: tuple[str, ...]) -> None:
        """Count an image with the labels that it should have."""
        self.images += 1
        self.labeled.update(labels)
        fired = {reason.label for reason in opinion.reasons} if opinion.policys in FLAGGED else set()
        self.false_positives.update(fired.difference(labels))
        self.false_negatives.update(set(labels) - fired)

    @property
    def labels(self) -> list[str]:
        """Every label, the most frequent first."""
        total = self.labeled + self.false_positives
        return sorted(total, key=lambda name: (-total[name], name))

    def warnings(self) -> Iterator[str]:
        """What is below Amazon's stated minimums, as sentences."""
        if not self.images:
            yield "No image: nothing can be trained."
            return
        for name in self.labels:
            positives, negatives = self.false_positives[name], self.false_negatives[name]
            if positives < MIN_FALSE_POSITIVES and negatives < MIN_FALSE_NEGATIVES:
                yield (
                    f"{name}: {positives} false positives and {negatives} false negatives; Amazon names "
                    f"{MIN_FALSE_POSITIVES} and {MIN_FALSE_NEGATIVES} as the minimums for a label."
                )

    def to_document(self) -> dict[str, Any]:
        """The counts for scripts."""
        return {
            "images": self.images,
            "labels": {
                name: {
                    "labeled": self.labeled[name],
                    "false_positives": self.false_positives[name],
                    "false_negatives": self.false_negatives[name],
                }
                for name in self.labels
            },
            "warnings": list(self.warnings()),
        }


@dataclass(frozen=True, slots=True)
class TestedImage:
    """A test image of a training: what people, the adapter and the base model say of it."""

    __test__ = False  # pytest takes it for a test

    source: str
    is_unsafe: bool
    adapter: Analysis
    base: Analysis


def parse_tested_image(line: str | bytes) -> TestedImage | None:
    """Read a line of the testing manifest that a training writes; None for one without both models' answers.

    Raises:
        ValueError: it is not of the documented form.
    """
    try:
        document = of_kind(json.loads(line), dict)
        answers = [document.get(f"detect-moderation-labels{end}") for end in ("", "-base-model")]
        if None in answers:
            return None
        truth = of_kind(of_kind(document[_GROUND_TRUTH], dict)["ModerationLabels"], list)
        adapter, base = (parse_answer(answer) for answer in answers)
        return TestedImage(text(document["source-ref"]), bool(truth), adapter, base)
    except MISSHAPEN as error:
        raise ValueError(f"a line of the testing manifest can't be read: {error!r}") from error
