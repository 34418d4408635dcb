"""A policy's document, read strictly: a mistake names the place in the document and says what to write instead.

    {schema?, name, version, description?, unseen_frames?: "review" | "approve", default: RULE, rules?: {LABEL: RULE}}

    RULE        "allow" | {review?, block?, when?: [REFINEMENT, ...]} | {allow: true, when: [REFINEMENT, ...]}
    REFINEMENT  {content_types: {NAME: CONFIDENCE, ...}, then: "allow" | {review?, block?}}

Confidences and thresholds are numbers of 0-100. This module is the one place that knows the document's keys.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from gatehouse.moderation.document import is_text, shown
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.rule import CONTENT_TYPES, Outcome, Refinement, Rule, Thresholds, UnseenFrames

SCHEMA = "gatehouse.policy/1"

UNSEEN_FRAMES = "unseen_frames"
POLICY_KEYS = ("schema", "name", "version", "description", UNSEEN_FRAMES, "default", "rules")
THRESHOLD_KEYS = ("review", "block")
RULE_KEYS = ("allow", *THRESHOLD_KEYS, "when")
REFINEMENT_KEYS = ("content_types", "then")

#: A policy's name is part of a file's name and of an output's, where the hyphens go and the words are capitalized.
NAME_PATTERN = "[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*"
MAX_NAME = 40
MAX_VERSION = 64
MAX_DESCRIPTION = 1024
MAX_CONTENT_TYPE = 128
MAX_REFINEMENTS = 10

#: What the name of a rule is for labels that no rule names.
DEFAULT = "default"

#: How alike (1 is equal) a content type is to a known one that it misspells. With less, "Anime" could not be used.
_MISSPELLED = 0.8

_NAME = re.compile(NAME_PATTERN)
_ALLOW = Outcome.ALLOW.value

Path = tuple[str | int, ...]


class PolicyError(ValueError):
    """A policy document that can't be used. The message names the place and says what to write instead.

    Attributes:
        path: keys, and positions in lists, that lead to the place at fault. A key that is missing is not in it.
        problem: what is wrong with it and how to mend it.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{place(path)}: {problem}" if path else problem)
        self.path = path
        self.problem = problem


def place(path: Path) -> str:
    """A path as people read it: `rules: Violence: when: 2: then`, positions counted from 1."""
    return ": ".join(str(step + 1) if isinstance(step, int) else step for step in path)


def read_header(document: object) -> tuple[str, str, str]:
    """Name, version and description of a policy document.

    Raises:
        PolicyError: one is missing or malformed, or the document has keys no policy has.
    """
    if not isinstance(document, Mapping):
        raise PolicyError((), "the policy is not a mapping; write name, version, default and rules")
    _only(document, POLICY_KEYS, ())
    if document.get("schema", SCHEMA) != SCHEMA:
        problem = f"{shown(document['schema'])} is not {SCHEMA}; use a policy written for this version of Gatehouse"
        raise PolicyError(("schema",), problem)
    name = _text(document, "name", MAX_NAME, "name: standard")
    if not _NAME.fullmatch(name):
        problem = f"{name!r} is no policy's name; join words of small letters and digits, each from a letter on, by -"
        raise PolicyError(("name",), problem)
    version = _text(document, "version", MAX_VERSION, 'version: "1"')
    description = document.get("description", "")
    if not is_text(description) or len(description) > MAX_DESCRIPTION:
        raise PolicyError(("description",), f"{shown(description)} is not text of up to {MAX_DESCRIPTION} characters")
    return name, version, description


def read_unseen_frames(document: Mapping[str, Any]) -> UnseenFrames:
    """What becomes of an animation of which some frames were not looked at.

    Raises:
        PolicyError: it is neither of the two.
    """
    value = document.get(UNSEEN_FRAMES, UnseenFrames.REVIEW.value)
    if value not in list(UnseenFrames):
        raise PolicyError(
            (UNSEEN_FRAMES,), f"{shown(value)} is none of {', '.join(UnseenFrames)}; leave it out, or write one"
        )
    return UnseenFrames(value)


def read_rules(document: Mapping[str, Any]) -> tuple[Rule, dict[str, Rule]]:
    """The default rule and the rules by label.

    Raises:
        PolicyError: a rule is malformed, names no label of the taxonomy, or has a part that can never fire.
    """
    if "default" not in document:
        raise PolicyError(
            (), 'default: missing; say what happens to labels without a rule, as in "default: {review: 60}"'
        )
    rules = document.get("rules", {})
    if not isinstance(rules, Mapping):
        raise PolicyError(("rules",), "not a mapping of labels to rules; write, for example, Violence: {review: 60}")
    for label in rules:
        if not isinstance(label, str):
            raise PolicyError(
                ("rules",), f"{shown(label)} is not a label of taxonomy {taxonomy.VERSION}; put it in quotes"
            )
        if label not in taxonomy.PARENTS:
            raise PolicyError(("rules", label), _unknown_label(label))
    default = _rule(DEFAULT, document["default"], ("default",))
    return default, {label: _rule(label, rule, ("rules", label)) for label, rule in rules.items()}


def rule_document(rule: Rule) -> str | dict[str, Any]:
    """The canonical form of a rule."""
    base = _thresholds_document(rule.thresholds)
    if not rule.when:
        return base
    when = [
        {"content_types": dict(refinement.content_types), "then": _thresholds_document(refinement.then)}
        for refinement in rule.when
    ]
    return {**({_ALLOW: True} if isinstance(base, str) else base), "when": when}


def _thresholds_document(thresholds: Thresholds) -> str | dict[str, Any]:
    named = {"review": thresholds.review, "block": thresholds.block}
    return {key: value for key, value in named.items() if value is not None} or _ALLOW


def _rule(name: str, document: object, path: Path) -> Rule:
    if not isinstance(document, Mapping):
        return Rule(name, _thresholds(document, path))
    _only(document, RULE_KEYS, path)
    when = _refinements(document, path)
    base = {key: value for key, value in document.items() if key != "when"}
    if when and not base:
        raise PolicyError(
            path, "nothing holds where no refinement does; add thresholds such as review: 60, or allow: true"
        )
    if _ALLOW not in base:
        return Rule(name, _thresholds(base, path), when)
    if base[_ALLOW] is not True:
        raise PolicyError((*path, _ALLOW), "can only be true; leave it out and write thresholds such as review: 60")
    if len(base) > 1:
        raise PolicyError((*path, _ALLOW), "contradicts the thresholds beside it; write one or the other")
    if not when:
        raise PolicyError((*path, _ALLOW), f'nothing refines it; write "{place(path[-1:])}: allow"')
    return Rule(name, Thresholds(), when)


def _refinements(document: Mapping[str, Any], path: Path) -> tuple[Refinement, ...]:
    if "when" not in document:
        return ()
    path = (*path, "when")
    entries = document["when"]
    if not isinstance(entries, list) or not entries:
        example = "- {content_types: {Illustrated: 70}, then: allow}"
        raise PolicyError(path, f"not a list of refinements; write, for example, {example}")
    if len(entries) > MAX_REFINEMENTS:
        raise PolicyError(path, f"{len(entries)} refinements; keep to {MAX_REFINEMENTS}")
    refinements: list[Refinement] = []
    for position, entry in enumerate(entries):
        refinement = _refinement(entry, (*path, position))
        for earlier, other in enumerate(refinements):
            if _shadows(other, refinement):
                problem = f"never reached: number {earlier + 1} holds wherever it would; put it first or drop it"
                raise PolicyError((*path, position), problem)
        refinements.append(refinement)
    return tuple(refinements)


def _refinement(document: object, path: Path) -> Refinement:
    if not isinstance(document, Mapping):
        raise PolicyError(path, "not a refinement; write content_types and then")
    _only(document, REFINEMENT_KEYS, path)
    for key in REFINEMENT_KEYS:
        if key not in document:
            raise PolicyError(path, f"{key}: missing; write {{content_types: {{Illustrated: 70}}, then: allow}}")
    names = document["content_types"]
    if not isinstance(names, Mapping) or not names:
        problem = "not a mapping of content types to confidences; write, for example, {Illustrated: 70, Animated: 70}"
        raise PolicyError((*path, "content_types"), problem)
    found = {}
    for name, confidence in names.items():
        here = (*path, "content_types", name)
        _check_content_type(name, here)
        found[name] = _confidence(confidence, here)
    # In one order, as in the canonical document: which of two is named as the reason must not depend on the author.
    return Refinement(dict(sorted(found.items())), _thresholds(document["then"], (*path, "then")))


def _shadows(earlier: Refinement, later: Refinement) -> bool:
    return all(
        name in earlier.content_types and earlier.content_types[name] <= confidence
        for name, confidence in later.content_types.items()
    )


def _thresholds(document: object, path: Path) -> Thresholds:
    if document == _ALLOW:
        return Thresholds()
    if not isinstance(document, Mapping) or not document:
        raise PolicyError(path, 'not a rule; write "allow", or thresholds such as {review: 50, block: 80}')
    if _ALLOW in document:
        raise PolicyError((*path, _ALLOW), "is no key here; write then: allow")
    _only(document, THRESHOLD_KEYS, path)
    review, block = (_confidence(document[key], (*path, key)) if key in document else None for key in THRESHOLD_KEYS)
    if review is not None and block is not None and review >= block:
        problem = f"never fires: at {review:g} and above, block at {block:g} does; lower review or drop it"
        raise PolicyError((*path, "review"), problem)
    return Thresholds(review, block)


def _confidence(value: object, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:  # NaN compares false
        raise PolicyError(path, f"{shown(value)} is not a confidence; write a plain number from 0 to 100")
    return float(value) + 0.0  # -0.0 becomes 0.0: equal policies have one hash


def _text(document: Mapping[str, Any], key: str, longest: int, example: str) -> str:
    if key not in document:
        raise PolicyError((), f"{key}: missing; write, for example, {example}")
    value = document[key]
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        problem = f"{shown(value)} is not one line of text up to {longest} characters; write, for example, {example}"
        raise PolicyError((key,), problem)
    return value


def _only(document: Mapping[Any, Any], known: Iterable[str], path: Path) -> None:
    for key in document:
        if not isinstance(key, str):
            raise PolicyError(path, f"{key!r} is a key but not text; the keys are {', '.join(known)}")
        if key not in known:
            close = _closest(key, known)
            fix = f"did you mean {close}?" if close else f"the keys are {', '.join(known)}"
            raise PolicyError((*path, key), f"unknown key; {fix}")


def _check_content_type(name: object, path: Path) -> None:
    """Names are free text, but one that looks like a known one and is not would never be reached."""
    if not is_text(name) or not 0 < len(name) <= MAX_CONTENT_TYPE:
        raise PolicyError(
            path[:-1], f"{shown(name)} is not the name of a content type; write, for example, Illustrated"
        )
    if name not in CONTENT_TYPES and (close := _closest(name, CONTENT_TYPES, _MISSPELLED)):
        raise PolicyError(path, f"not a content type that Rekognition's guide names; did you mean {close}?")


def _unknown_label(name: str) -> str:
    from gatehouse.moderation.policy.taxonomy_6_1 import CONTENT_TYPES as KINDS
    from gatehouse.moderation.policy.taxonomy_6_1 import SUCCESSORS

    if name in SUCCESSORS:
        now = " and ".join(repr(label) for label in SUCCESSORS[name])
        kinds = f", refined by the content types {' and '.join(KINDS[name])}" if name in KINDS else ""
        return f"{name!r} is a label of model 6.1; in taxonomy {taxonomy.VERSION} write {now}{kinds}"
    close = _closest(name, taxonomy.PARENTS)
    advice = f"did you mean {close!r}?" if close else "docs/policies.md lists all of them"
    return f"{name!r} is not a label of taxonomy {taxonomy.VERSION}; {advice}"


def _closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that was probably meant; capitals make no difference."""
    from difflib import get_close_matches  # only for an error message; not worth its import in a function

    by_lower_case = {entry.casefold(): entry for entry in known}
    close = get_close_matches(name.casefold(), by_lower_case, n=1, cutoff=cutoff)
    return by_lower_case[close[0]] if close else None
