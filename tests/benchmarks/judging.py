"""What judging an analysis costs, in units of what reading its result line costs: `python -m tests.benchmarks.judging`.

Both are timed in turns within one process, and the best of many turns counts, so that neither a slow nor a busy machine
changes the ratio.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from timeit import Timer
from typing import Any

import yaml

from gatehouse.moderation.analysis import parse_result_line
from gatehouse.moderation.policy.policy import Policy
from tests.unit.builders import an_answer

ROUNDS = 150
CALLS_PER_ROUND = 100

SOURCE = "s3://uploads-1a2b3c4d/photos/2026/11/22/9f8e7d6c.jpg"
GORE = {"Violence": 97.345703, "Graphic Violence": 97.345703, "Blood & Gore": 97.345703}
NUDITY = {"Explicit": 81.202309, "Explicit Nudity": 81.202309, "Exposed Female Nipple": 81.202309}
DRAWING = {"Illustrated": 93.912308, "Animated": 60.280601}

#: Confidences of an image's labels, and of its content types.
IMAGES: Mapping[str, tuple[Mapping[str, float], Mapping[str, float]]] = {
    "clean": ({}, {}),
    "one chain of three labels": (GORE, {}),
    "two chains, two content types": (GORE | NUDITY, DRAWING),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds, each the best that was seen."""

    image: str
    reading: float
    judging: float

    @property
    def ratio(self) -> float:
        """Judging, if reading is 1."""
        return self.judging / self.reading


def standard_policy() -> Policy:
    """The default policy, which has refinements."""
    path = Path(__file__).parents[2] / "policies" / "standard.yaml"
    return Policy.from_document(yaml.safe_load(path.read_text(encoding="utf-8")))


def result_line(labels: Mapping[str, float], content_types: Mapping[str, float]) -> str:
    """A line as both engines write it."""
    answer: dict[str, Any] = an_answer(labels)
    answer["ContentTypes"] = [{"Name": name, "Confidence": confidence} for name, confidence in content_types.items()]
    return json.dumps({"source-ref": SOURCE, "detect-moderation-labels": answer})


def measure(policy: Policy) -> list[Cost]:
    """The cost of each image under a policy."""
    return [_measured(image, policy, result_line(*IMAGES[image])) for image in IMAGES]


def _measured(image: str, policy: Policy, line: str) -> Cost:
    analysis = parse_result_line(line).analysis
    assert analysis is not None
    policy.judge(analysis)  # what is worked out once per policy is not part of judging
    reading, judging = _best(lambda: json.loads(line), lambda: policy.judge(analysis))
    return Cost(image, reading, judging)


def _best(*works: Callable[[], object]) -> list[float]:
    timers = [Timer(work) for work in works]
    rounds = [[timer.timeit(CALLS_PER_ROUND) for timer in timers] for _ in range(ROUNDS)]
    return [min(times) / CALLS_PER_ROUND * 1e6 for times in zip(*rounds, strict=True)]


def main() -> None:
    """Print the table."""
    print(f"{'image':<30} {'json.loads':>10} {'judge':>9} {'ratio':>6}")
    for cost in measure(standard_policy()):
        print(f"{cost.image:<30} {cost.reading:>7.2f} µs {cost.judging:>6.2f} µs {cost.ratio:>6.2f}")


if __name__ == "__main__":
    main()
