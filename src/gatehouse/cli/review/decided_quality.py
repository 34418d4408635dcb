"""What people's decisions say about a deployment's policies; for a table, a script or a page."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gatehouse.cli.errors import CommandError
from gatehouse.moderation.interval import Share
from gatehouse.moderation.opinion import Opinion
from gatehouse.moderation.policy.threshold_advice import Suggestion, ThresholdAdvice
from gatehouse.moderation.quality import Quality

if TYPE_CHECKING:
    from gatehouse.cli.deployment import Deployment
    from gatehouse.cli.policy.policy_source import PolicySources

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


@dataclass(slots=True)
class DecidedQuality:
    """The numbers, collected opinion by opinion; their memory does not grow with the uploads.

    Attributes:
        advice: by the name of the policy; empty if thresholds were not asked for.
        unavailable: policies whose active version could not be read.
    """

    deployment: "Deployment"
    advice: dict[str, ThresholdAdvice] = field(default_factory=dict)
    unavailable: tuple[str, ...] = ()
    quality: Quality = field(default_factory=Quality)

    @classmethod
    def of(cls, deployment: "Deployment", sources: "PolicySources | None") -> "DecidedQuality":
        """The numbers of a deployment, still without opinions.

        Args:
            sources: where to find the active policies, for suggestions of thresholds; None for no suggestions.

        Raises:
            ClientError: the policies' parameters, or the work bucket, could not be read.
        """
        if sources is None:
            return cls(deployment)
        advice, unavailable = {}, []
        pointers, _ = sources.pointers().look()
        for name in deployment.policies:
            try:
                if name not in pointers:
                    raise CommandError(f"The pointer of policy {name} can't be read.")
                policy = sources.active(pointers[name])
            except CommandError:
                unavailable.append(name)
                continue
            advice[name] = ThresholdAdvice(policy, max(deployment.min_confidence_for(name).values()))
        return cls(deployment, advice, tuple(unavailable))

    def add(self, opinion: Opinion) -> None:
        """Count an opinion."""
        self.quality.add(opinion)
        policy = self.deployment.policy_name_for(opinion.lane, opinion.key)
        if opinion.is_about_a_judgment and policy in self.advice:
            self.advice[policy].add(opinion)

    def suggestions(self) -> dict[str, list[Suggestion]]:
        """The thresholds that the decisions suggest, by policy."""
        return {name: advice.suggestions() for name, advice in sorted(self.advice.items())}

    def to_document(self) -> dict[str, Any]:
        """The numbers for scripts."""
        suggestions = {name: [one.to_document() for one in found] for name, found in self.suggestions().items()}
        return {**self.quality.to_document(), "thresholds": suggestions, "policies_unavailable": list(self.unavailable)}


def share_words(share: Share) -> str:
    """A share with its interval and counts, for people."""
    if share.value is None:
        return "nothing decided"
    return f"{share.value:.1%} ({share.low:.1%} to {share.high:.1%}; {share.count:,} of {share.of:,})"


def threshold_words(threshold: float | None) -> str:
    """A threshold, for people."""
    return "none" if threshold is None else f"{threshold:g}"


def wait_words(seconds: float) -> str:
    """How long uploads waited, for people: `40 s`, `1.5 h`."""
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"
