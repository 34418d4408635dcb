"""The settings of a deployment: gatehouse.yaml, typed and checked before anything is built.

A mistake ends in one line: the file and line, the key, what is wrong with it, and what to write instead.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gatehouse.configuration.call_rate import DEFAULT_CALLS_PER_SECOND, CallRate, share_of
from gatehouse.configuration.function_environment import MAX_ENVIRONMENT_BYTES, batcher_environment_bytes
from gatehouse.configuration.key_part import literal, misreading
from gatehouse.configuration.policies import PolicyCatalog
from gatehouse.configuration.settings_section import Section, SettingsError, quoted, shown
from gatehouse.configuration.upload_pattern import MAX_PATTERN_LENGTH, pattern_length
from gatehouse.configuration.yaml_source import Entry, YamlError, read_yaml
from gatehouse.contracts.gate_policy import MOST_POLICY_BYTES, gate_statements
from gatehouse.moderation.decision import DEFAULT_REASONS, MAX_REASON, OTHER, REASON
from gatehouse.moderation.document import is_text
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.gate import Gate, GateMode
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.lane import Lane, Priority, policy_name_for
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_document import DEFAULT
from gatehouse.moderation.policy.policy_document import Path as Place
from gatehouse.moderation.policy.rule import Rule
from gatehouse.moderation.rendition import MOST_FRAMES_JUDGED
from gatehouse.moderation.status import FINAL, Status

#: Days CloudWatch Logs keeps events (API reference, PutRetentionPolicy).
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
    *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

#: Limits of an event source mapping of SQS (Lambda Developer Guide, services-sqs-configure.html).
MAX_WINDOW_SECONDS = 300
MAX_BATCH_SIZE = 10_000
MAX_BATCH_SIZE_WITHOUT_WINDOW = 10
CONCURRENCY = (2, 1000)

#: Three attempts of a day each, with a look every two and a half minutes at nine history events, and with the waiting
#: for a slot, stay under the 25,000 events an execution may have (Step Functions Developer Guide, service quotas).
MAX_JOB_DEADLINE_HOURS = 24

#: With a window, an upload may wait up to 20 s for its batch at low traffic however short the window is (Lambda
#: Developer Guide, with-sqs.html), which is what a fast lane is there to avoid. Longer ones make no sense in it.
MAX_FAST_WINDOW_SECONDS = 5

#: A rule's target has at most 8,192 characters of input (EventBridge API reference, Target): the sweeper's lanes.
MAX_LANES = 20

#: What a bucket's policy has beside the gate: that requests use TLS, and its owner's own statements.
OTHER_STATEMENTS_BYTES = 2048

#: Reviewers choose one at a glance.
MAX_REASONS = 20

SHARES = (5, 100)
#: An inline Map feeds 40 workers at most. At more than 6 calls a second each, they would wait for a chunk's last
#: answers for a good part of their time.
MAX_CALLS_PER_SECOND = 250

MAX_OBJECT_SIZE = 50 * 1024**4
MAX_KEY_BYTES = 1024

#: Text that needs no quotes in YAML.
_PLAIN = re.compile(r"(?=.*[A-Za-z])[\w./-]*[A-Za-z./][\w./-]*", re.ASCII)
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*")
BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
#: A mailbox as SNS takes one for a subscription; the confirmation that SNS sends there is the real check.
EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@.]+(?:\.[^\s@.]+)+", re.ASCII)
#: An alarm's description has 1,024 characters in all, with the address in it.
DOCS_URL = re.compile(r"https?://[^\s?#]{1,200}[^\s?#/]", re.ASCII)
TOPIC_ARN = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}")
#: A bus by its name or ARN (EventBridge API reference, PutEventsRequestEntry). Names that begin with `aws.` belong to
#: partners, who alone send to such a bus (CreateEventBus).
EVENT_BUS = re.compile(
    r"(?!aws\.)(?:arn:aws[a-z-]*:events:[a-z]+-[a-z]+(?:-[a-z]+)*-\d+:\d{12}:event-bus/(?!aws\.))?[A-Za-z0-9._-]{1,256}"
)
#: A role by its ARN; of a path and a name that AWS makes up, such as IAM Identity Center's, a part may be a wildcard.
ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[A-Za-z0-9+=,.@_/*?-]{1,576}")
VPC_ENDPOINT = re.compile(r"vpce-[0-9a-f]{8,17}")
MODEL_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
#: `create`, or a key by its ARN: a UUID, or the id of a multi-Region key (KMS Developer Guide, concepts.html).
ENCRYPTION_KEY = re.compile(
    r"create|arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})"
)
#: Shape ProjectVersionArn of Rekognition's API model.
ADAPTER_ARN = re.compile(
    r"arn:[a-z\d-]+:rekognition:[a-z\d-]+:\d{12}:project/[a-zA-Z0-9_.\-]{1,255}/version/[a-zA-Z0-9_.\-]{1,255}/[0-9]+"
)


@dataclass(frozen=True, slots=True)
class LaneSettings:
    """A lane, and how its queue is turned into batches.

    Attributes:
        max_wait: the longest an upload waits for its batch to fill, in seconds, 0-300.
        batch_size: messages a batch is made of at most. 6 MB of them end a batch earlier, at about 4,000 uploads.
        max_concurrency: batches built at the same time, 2-1000. Few make fuller batches.
    """

    lane: Lane
    max_wait: int = 60
    batch_size: int = MAX_BATCH_SIZE
    max_concurrency: int = 2

    @property
    def name(self) -> str:
        """The lane's."""
        return self.lane.name

    @property
    def priority(self) -> Priority:
        """The lane's: whose workflow and image engine its batches have."""
        return self.lane.priority

    @property
    def policy(self) -> str:
        """Name of the policy that judges what no override is for."""
        return self.lane.policy

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of all policies that may judge an upload of the lane."""
        return self.lane.policies


@dataclass(frozen=True, slots=True)
class ImageEngineSettings:
    """How much of the account's quota for DetectModerationLabels is used, and by whom.

    Attributes:
        calls_per_second: for all lanes together; None is AWS's default for the Region that is deployed to.
        shares: parts for the lanes of each priority; those of a priority that no lane has are the others'.
    """

    calls_per_second: float | None = None
    shares: Mapping[Priority, int] = field(
        default_factory=lambda: {Priority.FAST: 20, Priority.LIVE: 60, Priority.BACKFILL: 20}
    )


@dataclass(frozen=True, slots=True)
class EventSettings:
    """Where verdicts are announced as EventBridge events, and which.

    Attributes:
        bus: `default`, the name of a bus of the deployment's account and Region, or the ARN of any bus; None for none.
        statuses: final statuses of first verdicts that an event is sent for.
    """

    bus: str | None = None
    statuses: tuple[Status, ...] = tuple(status for status in Status if status in FINAL)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user decides about a deployment.

    Attributes:
        name: the stacks are called `<name>-storage`, `<name>-pipeline` and `<name>-monitoring`.
        upload_bucket: name of an existing bucket to watch, or None to have one made.
        notify: final statuses a flag is sent for.
        events: see `EventSettings`.
        log_retention_days: one of LOG_RETENTION_DAYS.
        work_retention_days: days that manifests and result files are kept, 30 or more.
        verdict_retention_days: days that final verdicts are kept, or None forever.
        alarm_email: who is told of alarms by the topic that is made for them, or None.
        alarm_topic_arn: SNS topic that alarms are sent to, or None to have one made.
        ticket_topic_arn: another topic for the alarms that can wait, or None for the same.
        docs_url: address of a folder with this repository's docs, or None where they are read in the checkout.
        encryption_key: `create` to have a key made, the ARN of one that exists, or None for AWS's own keys.
        backfill_batches: batches of backfill lanes that are analyzed at the same time; the others wait their turn.
        existing_objects: whether `gatehouse moderate` can moderate what is in the bucket already.
        model_version: of Rekognition's moderation model that the policies were written for.
        animation_check: whether an image is approved only if it has no frames that nobody looked at.
        decision_reasons: codes that reviewers choose from.
        gate: what keeps objects that are not approved from being read.
    """

    lanes: tuple[LaneSettings, ...]
    name: str = "gatehouse"
    upload_bucket: str | None = None
    notify: tuple[Status, ...] = (Status.REVIEW, Status.BLOCKED)
    events: EventSettings = field(default_factory=EventSettings)
    log_retention_days: int = 90
    work_retention_days: int = 30
    verdict_retention_days: int | None = None
    alarm_email: str | None = None
    alarm_topic_arn: str | None = None
    ticket_topic_arn: str | None = None
    docs_url: str | None = None
    encryption_key: str | None = None
    image_engine: ImageEngineSettings = field(default_factory=ImageEngineSettings)
    backfill_batches: int = 2
    existing_objects: bool = False
    model_version: str = taxonomy.VERSION
    animation_check: bool = True
    decision_reasons: tuple[str, ...] = DEFAULT_REASONS
    gate: Gate = field(default_factory=Gate)

    @property
    def has_alarm_listener(self) -> bool:
        """Whether the settings name somebody who is told of alarms that can't wait."""
        return self.alarm_email is not None or self.alarm_topic_arn is not None

    @property
    def main_lane(self) -> LaneSettings:
        """The lane called `default`, or the first one where none is."""
        return next((lane for lane in self.lanes if lane.name == "default"), self.lanes[0])

    @property
    def policies(self) -> tuple[str, ...]:
        """Names of the policies that may judge an upload, each once, sorted."""
        return tuple(sorted({name for lane in self.lanes for name in lane.policies}))

    @property
    def formats(self) -> frozenset[ImageFormat]:
        """The formats that a lane has rendered."""
        return frozenset(image_format for entry in self.lanes for image_format in entry.lane.formats)

    def knows_bulk(self, priority: Priority) -> bool:
        """Whether a lane of this priority may use bulk. The backfill's objects are of all lanes."""
        is_for_all = priority is Priority.BACKFILL and self.existing_objects
        lanes = (entry.lane for entry in self.lanes if is_for_all or entry.priority is priority)
        return any(Engine.BULK in lane.engine.candidates for lane in lanes)

    @property
    def priorities(self) -> tuple[Priority, ...]:
        """The priorities that lanes and the backfill have, most urgent first."""
        used = {lane.priority for lane in self.lanes} | ({Priority.BACKFILL} if self.existing_objects else set())
        return tuple(priority for priority in Priority if priority in used)


_DEFAULTS = Settings(lanes=())
_LANE_DEFAULTS = LaneSettings(Lane(name="default"))
_ONLY_DEFAULT_LANE = ("default",)


def load_settings(path: Path, policies: PolicyCatalog) -> Settings:
    """Read a settings file. `policies` are those a lane may choose from.

    Raises:
        SettingsError: the file is missing, is not YAML, or holds something that can't be deployed.
    """
    return settings_of(path, read_settings(path), policies)


def read_settings(path: Path) -> Entry:
    """The document of a settings file, with its lines.

    Raises:
        SettingsError: the file is missing or is not YAML.
    """
    try:
        return read_yaml(path)
    except YamlError as error:
        raise SettingsError(path, error.line, error.problem) from error
    except OSError as error:
        problem = f"can't be read: {error.strerror}; name a settings file in GATEHOUSE_SETTINGS"
        raise SettingsError(path, 1, problem) from error


def settings_of(path: Path, document: Entry, policies: PolicyCatalog) -> Settings:
    """The settings that a document of `read_settings` holds.

    Raises:
        SettingsError: it holds something that can't be deployed.
    """
    section = Section(path, (), Entry(document.value or {}, document.line))
    existing_objects = section.switch("existing_objects", _DEFAULTS.existing_objects)
    settings = Settings(
        lanes=_lanes(section.section("lanes", _ONLY_DEFAULT_LANE), policies, existing_objects=existing_objects),
        name=_name(section),
        upload_bucket=section.optional_text("upload_bucket", BUCKET, "a bucket's name, not its ARN or address"),
        notify=_statuses(section, "notify", _DEFAULTS.notify),
        events=_events(section.section("events")),
        log_retention_days=_log_retention(section),
        work_retention_days=section.integer("work_retention_days", _DEFAULTS.work_retention_days, 30, 3650, "days"),
        verdict_retention_days=section.optional_integer("verdict_retention_days", 1, 36_500, "days"),
        alarm_email=section.optional_text("alarm_email", EMAIL, "one e-mail address"),
        alarm_topic_arn=section.optional_text("alarm_topic_arn", TOPIC_ARN, "the ARN of a standard SNS topic"),
        ticket_topic_arn=section.optional_text("ticket_topic_arn", TOPIC_ARN, "the ARN of a standard SNS topic"),
        docs_url=section.optional_text(
            "docs_url", DOCS_URL, "the address of the docs folder, https://..., without a slash at its end"
        ),
        encryption_key=section.optional_text(
            "encryption_key", ENCRYPTION_KEY, "create, or a key's own ARN (arn:aws:kms:...:key/..., no alias)"
        ),
        image_engine=_image_engine(section.section("image_engine")),
        backfill_batches=section.integer("backfill_batches", _DEFAULTS.backfill_batches, 1, 20, "batches"),
        existing_objects=existing_objects,
        model_version=section.text(
            "model_version", _DEFAULTS.model_version, MODEL_VERSION, 'a version in quotes, such as "7.0"'
        ),
        animation_check=section.switch("animation_check", _DEFAULTS.animation_check),
        decision_reasons=_decision_reasons(section),
        gate=_gate(section.section("gate")),
    )
    section.refuse_unknown()
    _check_alarms(settings, section)
    _check_gate(settings, section)
    _check_rates(settings, section.section("image_engine"))
    return settings


def load_name(path: Path) -> str:
    """The name that a settings file gives its deployment, whatever else is in the file.

    Raises:
        SettingsError: the file is missing, is not YAML, or gives a name that can't be deployed.
    """
    document = read_settings(path)
    return _name(Section(path, (), Entry(document.value or {}, document.line)))


def _name(section: Section) -> str:
    return section.text("name", _DEFAULTS.name, NAME, "small letters, digits and single hyphens, at most 40", 40)


def _check_rates(settings: Settings, section: Section) -> None:
    """Refuse a share that is too small to work with, in the Region where the quota is smallest."""
    engine = settings.image_engine
    quota = DEFAULT_CALLS_PER_SECOND if engine.calls_per_second is None else engine.calls_per_second
    for priority in settings.priorities:
        rate = CallRate(quota * share_of(priority, engine.shares, settings.priorities))
        if not rate.is_enough:
            problem = f"{priority} lanes would have {rate.calls_per_second:.2g} of {quota:g} calls a second"
            raise section.conflict(
                "shares", problem, "give them more parts, raise calls_per_second, or use fewer priorities"
            )


def _lanes(section: Section, policies: PolicyCatalog, *, existing_objects: bool) -> tuple[LaneSettings, ...]:
    if not section.names:
        raise section.conflict(None, "no lanes", "without one nothing is moderated; write default: {} under lanes")
    sections = {name: section.section(name) for name in section.names}
    lanes = {name: _lane(name, lane_section, policies) for name, lane_section in sections.items()}
    for name in sections:
        if not NAME.fullmatch(name) or len(name) > 24:
            raise section.error(name, "not a lane's name", "use small letters, digits and single hyphens, at most 24")
    if len(section.names) > MAX_LANES:
        problem = f"{len(section.names)} lanes are more than a deployment can have"
        raise section.error(None, problem, f"keep to {MAX_LANES}, or make another deployment with another name")
    owners: dict[str, str] = {}
    for name, settings in lanes.items():
        for prefix in settings.lane.prefixes:
            if prefix in owners:
                problem = f"{quoted(prefix)} is claimed by lane {owners[prefix]} too"
                raise sections[name].conflict("prefixes", problem, "give it to one of them")
            owners[prefix] = name
    priorities = {settings.lane.priority for settings in lanes.values()}
    if existing_objects:
        priorities.add(Priority.BACKFILL)
    finished = []
    for name, settings in lanes.items():
        others = tuple(
            prefix
            for prefix, owner in sorted(owners.items())
            if owner != name and prefix.startswith(settings.lane.prefixes)
        )
        finished.append(replace(settings, lane=replace(settings.lane, other_lanes_prefixes=others)))
        _check_overrides_hold(finished[-1].lane, owners, sections[name].section("policy_overrides"))
        _check_lane_sizes(
            finished[-1].lane, sections[name], other_workflows=len(priorities) - 1, existing_objects=existing_objects
        )
    return tuple(finished)


def _image_engine(section: Section) -> ImageEngineSettings:
    rate = section.optional_number("calls_per_second", 1, MAX_CALLS_PER_SECOND, "calls a second")
    shares = section.section("shares")
    settings = ImageEngineSettings(
        rate,
        {
            priority: shares.integer(priority.value, default, *SHARES, "parts")
            for priority, default in _DEFAULTS.image_engine.shares.items()
        },
    )
    shares.refuse_unknown()
    section.refuse_unknown()
    return settings


def _min_confidence(section: Section, names: Iterable[str], policies: PolicyCatalog) -> float:
    """What Rekognition is asked for: no more than any policy judges by, or what it never says would be approved."""
    value = section.number("min_confidence", _LANE_DEFAULTS.lane.min_confidence, 0, 100, "percent")
    strictest = min((policies.policies[name] for name in sorted(names)), key=lambda policy: policy.lowest_threshold)
    lowest = strictest.lowest_threshold
    if value > lowest:
        hidden = f"labels the taxonomy does not have, which are reviewed from {lowest:g}"
        for place, confidence in _thresholds(strictest):
            if confidence == lowest:
                line = policies.line_of(strictest.name, place)
                rule = DEFAULT if place[0] == DEFAULT else place[1]
                hidden = f"what policies/{strictest.name}.yaml:{line} ({rule}: {place[-1]} at {lowest:g}) judges"
                break
        raise section.conflict("min_confidence", f"{value:g} hides {hidden}", f"write at most {lowest:g}")
    return value


def _thresholds(policy: Policy) -> Iterator[tuple[Place, float]]:
    """The lowest threshold of each rule and refinement of a policy, with its place in the document."""
    rules: dict[Place, Rule] = {(DEFAULT,): policy.default}
    rules |= {("rules", label): rule for label, rule in policy.rules.items()}
    for place, rule in rules.items():
        found = {place: rule.thresholds}
        found |= {(*place, "when", n, "then"): refinement.then for n, refinement in enumerate(rule.when)}
        for where, thresholds in found.items():
            if thresholds.lowest is not None:
                yield (*where, "block" if thresholds.review is None else "review"), thresholds.lowest


def _lane(name: str, section: Section, policies: PolicyCatalog) -> LaneSettings:
    min_size = section.integer("min_size", 0, 0, MAX_OBJECT_SIZE, "bytes")
    max_size = section.optional_integer("max_size", 0, MAX_OBJECT_SIZE, "bytes")
    if max_size is not None and min_size > max_size:
        raise section.conflict("min_size", f"{min_size} is above max_size {max_size}", "swap them or drop one")
    priority = _priority(section)
    default_wait = 0 if priority is Priority.FAST else _LANE_DEFAULTS.max_wait
    max_wait = section.integer("max_wait", default_wait, 0, MAX_WINDOW_SECONDS, "seconds")
    if priority is Priority.FAST and max_wait > MAX_FAST_WINDOW_SECONDS:
        problem = f"a fast lane does not wait {max_wait} seconds for company"
        raise section.conflict(
            "max_wait", problem, f"write 0 (or {MAX_FAST_WINDOW_SECONDS} at most), or priority: live"
        )
    has_long_batches = max_wait > 0 and priority is not Priority.FAST
    default_batch_size = _LANE_DEFAULTS.batch_size if has_long_batches else MAX_BATCH_SIZE_WITHOUT_WINDOW
    batch_size = section.integer("batch_size", default_batch_size, 1, MAX_BATCH_SIZE, "uploads")
    if priority is Priority.FAST and batch_size > MAX_BATCH_SIZE_WITHOUT_WINDOW:
        problem = f"{batch_size} uploads are no batch for a fast lane"
        raise section.conflict(
            "batch_size", problem, f"write at most {MAX_BATCH_SIZE_WITHOUT_WINDOW}, or priority: live"
        )
    if batch_size > MAX_BATCH_SIZE_WITHOUT_WINDOW and not max_wait:
        problem = f"{batch_size} uploads can't be gathered with max_wait: 0"
        raise section.conflict(
            "batch_size", problem, f"write batch_size: {MAX_BATCH_SIZE_WITHOUT_WINDOW} or max_wait: 1"
        )
    prefixes = _prefixes(section)
    exclusions = _exclusions(section, prefixes)
    policy = _policy(section, "policy", policies, _LANE_DEFAULTS.lane.policy)
    overrides = _policy_overrides(section.section("policy_overrides"), prefixes, exclusions, policy, policies)
    names = {policy, *(override for _, override in overrides)}
    lane = Lane(
        name=name,
        prefixes=prefixes,
        suffixes=_suffixes(section),
        exclude_prefixes=exclusions,
        min_size=min_size,
        max_size=max_size,
        min_confidence=_min_confidence(section, names, policies),
        adapter=section.optional_text(
            "adapter", ADAPTER_ARN, "the ARN of a project version, arn:aws:rekognition:...:project/.../version/.../..."
        ),
        samples=section.number("samples", _LANE_DEFAULTS.lane.samples, 0, 1, "a share"),
        policy=policy,
        policy_overrides=overrides,
        engine=_engine(section, priority),
        priority=priority,
        formats=_formats(section),
        max_frames=section.integer("max_frames", _LANE_DEFAULTS.lane.max_frames, 1, MOST_FRAMES_JUDGED, "frames"),
        job_deadline_seconds=3600 * section.integer("job_deadline_hours", 24, 1, MAX_JOB_DEADLINE_HOURS, "hours"),
    )
    max_concurrency = section.integer(
        "max_concurrency", _LANE_DEFAULTS.max_concurrency, *CONCURRENCY, "batches at a time"
    )
    section.refuse_unknown()
    return LaneSettings(lane, max_wait, batch_size, max_concurrency)


def _priority(section: Section) -> Priority:
    name = section.text("priority", _LANE_DEFAULTS.lane.priority)
    if name not in list(Priority):
        raise section.error("priority", f"{quoted(name)} is no priority", f"write one of {', '.join(Priority)}")
    return Priority(name)


def _engine(section: Section, priority: Priority) -> Engine:
    default = Engine.IMAGE if priority is Priority.FAST else _LANE_DEFAULTS.lane.engine
    name = section.text("engine", default)
    if name not in list(Engine):
        raise section.error("engine", f"{quoted(name)} is no engine", f"write one of {', '.join(Engine)}")
    if priority is Priority.FAST and name != Engine.IMAGE:
        problem = f"a fast lane is always analyzed image by image, not by {name}"
        raise section.conflict("engine", problem, "leave engine out, or write priority: live")
    return Engine(name)


def _formats(section: Section) -> tuple[ImageFormat, ...]:
    """The formats that are rendered, by their names in small letters."""
    known = {image_format.value.lower(): image_format for image_format in ImageFormat}
    names = section.texts("formats", tuple(image_format.value.lower() for image_format in _LANE_DEFAULTS.lane.formats))
    for n, name in enumerate(names):
        if name not in known:
            close = {"jpg": "jpeg", "tif": "tiff", "heif": "heic", "apng": "png"}.get(name.lower(), name.lower())
            fix = f"write {close}" if close in known else f"choose from {', '.join(known)}"
            raise section.error("formats", f"{quoted(name)} is no format", fix, item=n)
        if names.index(name) < n:
            raise section.error("formats", f"{quoted(name)} stands in it twice", "keep one of them", item=n)
    return tuple(sorted(known[name] for name in names))


def _policy(section: Section, key: str, policies: PolicyCatalog, default: str = "") -> str:
    name = section.text(key, default)
    if name not in policies.policies:
        meant = name.removeprefix("policies/").removesuffix(".yaml")
        if meant in policies.policies:
            raise section.error(key, f"{quoted(name)} is a file's path", f"write the policy's name, {key}: {meant}")
        close = difflib.get_close_matches(name, policies.policies, n=1)
        choice = f"{key}: {close[0]}" if close else f"the name of one: {', '.join(sorted(policies.policies))}"
        fix = f"write that file, or {choice}" if policies.policies else "write that file"
        raise section.error(key, f"there is no policies/{name}.yaml", fix)
    return name


def _policy_overrides(
    section: Section, prefixes: tuple[str, ...], exclusions: tuple[str, ...], policy: str, policies: PolicyCatalog
) -> tuple[tuple[str, str], ...]:
    """Which policy holds under which key prefixes instead of the lane's own."""
    overrides = tuple((_key_part(section, key, key), _policy(section, key, policies)) for key in section.names)
    for key, (prefix, name) in zip(section.names, overrides, strict=True):
        if [other for other, _ in overrides].count(prefix) > 1:
            raise section.error(key, f"{quoted(prefix)} stands in it twice", "keep one of them")
        if not prefix.startswith(prefixes):
            raise section.conflict(key, "not inside any prefix of the lane", "begin it with one of them, or drop it")
        if exclusions and prefix.startswith(exclusions):
            raise section.conflict(key, "excluded by exclude_prefixes, so nothing under it is judged", "drop it")
        if prefixes == (prefix,):
            problem = f"{quoted(prefix)} is the lane's only prefix"
            raise section.conflict(key, problem, f"write policy: {name} for the lane instead")
        outer = [(other, outer_name) for other, outer_name in overrides if other != prefix]
        if policy_name_for(prefix, policy, outer) == name:
            raise section.conflict(key, f"policy {name} holds there anyway", "name another one, or drop it")
    return overrides


def _check_overrides_hold(lane: Lane, owners: Mapping[str, str], section: Section) -> None:
    """Refuse overrides for uploads that another lane takes. `owners` are the lanes' names by prefix."""
    for key, (override, _) in zip(section.names, lane.policy_overrides, strict=True):
        inside = [prefix for prefix in lane.other_lanes_prefixes if override.startswith(prefix)]
        if inside:
            problem = f"uploads under it belong to lane {owners[max(inside, key=len)]}"
            raise section.conflict(key, problem, "write it there, or drop it")


def _prefixes(section: Section) -> tuple[str, ...]:
    prefixes = _key_parts(section, "prefixes", ("",))
    if not prefixes:
        raise section.error("prefixes", "an empty list takes no upload", 'write [""] for every key, or drop the lane')
    for prefix in prefixes:
        outer = next((other for other in prefixes if other != prefix and prefix.startswith(other)), None)
        if outer is not None:
            problem = f"{quoted(prefix)} lies inside {quoted(outer)}, which the lane takes whole"
            raise section.conflict("prefixes", problem, "drop it, or give it a lane of its own")
    return prefixes


def _suffixes(section: Section) -> tuple[str, ...]:
    suffixes = _key_parts(section, "suffixes", (), at_the_end=True)
    for suffix in suffixes:
        if not suffix:
            raise section.error("suffixes", "an empty suffix takes every key", "write [] for any suffix")
        if not suffix.isascii():
            problem = f"{quoted(suffix)} has letters whose upper and lower case EventBridge may not know"
            raise section.error("suffixes", problem, "use plain ASCII, such as .jpg")
    return suffixes


def _exclusions(section: Section, prefixes: tuple[str, ...]) -> tuple[str, ...]:
    exclusions = _key_parts(section, "exclude_prefixes", ())
    for exclusion in exclusions:
        covered = next((prefix for prefix in prefixes if prefix.startswith(exclusion)), None)
        if covered is not None:
            problem = f"{quoted(exclusion)} takes away everything under the lane's prefix {quoted(covered)}"
            raise section.conflict("exclude_prefixes", problem, "exclude something longer, or drop that prefix")
        if not exclusion.startswith(prefixes):
            problem = f"{quoted(exclusion)} is not inside any prefix of the lane"
            raise section.conflict("exclude_prefixes", problem, "begin it with one of the lane's prefixes, or drop it")
    return exclusions


def _check_lane_sizes(lane: Lane, section: Section, *, other_workflows: int, existing_objects: bool) -> None:
    if (length := pattern_length(lane)) > MAX_PATTERN_LENGTH:
        problem = f"the lane's event pattern would have {length} characters, EventBridge takes {MAX_PATTERN_LENGTH}"
        raise section.error("prefixes", problem, "use fewer or shorter prefixes, suffixes and exclusions")
    length = batcher_environment_bytes(lane, other_workflows, existing_objects=existing_objects)
    if length > MAX_ENVIRONMENT_BYTES:
        problem = f"the lane may take {length} bytes of its function's environment, Lambda has {MAX_ENVIRONMENT_BYTES}"
        fix = "use fewer or shorter prefixes, suffixes, exclusions and policy overrides"
        raise section.error("prefixes", problem, fix)


def _statuses(section: Section, key: str, default: tuple[Status, ...]) -> tuple[Status, ...]:
    names = section.texts(key, default)
    for n, name in enumerate(names):
        if name not in FINAL:
            fix = f"choose from {', '.join(sorted(FINAL))}"
            raise section.error(key, f"{quoted(name)} is not a final status", fix, item=n)
    return tuple(Status(name) for name in names)


def _events(section: Section) -> EventSettings:
    settings = EventSettings(
        bus=section.optional_text(
            "bus", EVENT_BUS, "default, a bus's name, or its ARN (arn:aws:events:...:event-bus/...)"
        ),
        statuses=_statuses(section, "statuses", _DEFAULTS.events.statuses),
    )
    section.refuse_unknown()
    return settings


def _gate(section: Section) -> Gate:
    readers = section.section("readers")
    gate = Gate(
        mode=_gate_mode(section),
        reader_roles=_roles(readers, "roles"),
        reader_endpoints=_endpoints(readers),
        open_prefixes=_open_prefixes(section),
        trusted_replicators=_roles(section, "trusted_replicators"),
        mark_blocked=section.switch("mark_blocked", _DEFAULTS.gate.mark_blocked),
    )
    readers.refuse_unknown()
    section.refuse_unknown()
    return gate


def _gate_mode(section: Section) -> GateMode:
    name = section.text("mode", _DEFAULTS.gate.mode)
    if name not in list(GateMode):
        raise section.error("mode", f"{quoted(name)} is not a mode", f"choose from {', '.join(GateMode)}")
    return GateMode(name)


def _roles(section: Section, key: str) -> tuple[str, ...]:
    roles = section.texts(key, ())
    for n, role in enumerate(roles):
        if not ROLE_ARN.fullmatch(role):
            fix = "write a role's ARN, such as arn:aws:iam::123456789012:role/thumbnails"
            raise section.error(key, f"{shown(role)} is not a role's ARN", fix, item=n)
        if role.partition(":role/")[2].strip("*?/") == "":
            raise section.error(key, f"{shown(role)} is every role of the account", "name the roles", item=n)
    return roles


def _endpoints(section: Section) -> tuple[str, ...]:
    endpoints = section.texts("vpc_endpoints", ())
    for n, endpoint in enumerate(endpoints):
        if not VPC_ENDPOINT.fullmatch(endpoint):
            problem = f"{shown(endpoint)} is not the id of a VPC endpoint"
            raise section.error("vpc_endpoints", problem, "write one, such as vpce-0123456789abcdef0", item=n)
    return endpoints


def _open_prefixes(section: Section) -> tuple[str, ...]:
    prefixes = _key_parts(section, "open_prefixes", ())
    for n, prefix in enumerate(prefixes):
        if not prefix:
            raise section.error("open_prefixes", "an empty prefix opens every key", "write mode: none instead", item=n)
        if not prefix.isprintable() or set(prefix) & set("*?$"):
            problem = f"{shown(prefix)} has a character that means something else in a bucket's policy"
            raise section.error("open_prefixes", problem, "use a shorter prefix without *, ? and $", item=n)
    return prefixes


def _check_gate(settings: Settings, section: Section) -> None:
    """Refuse a gate that would close what is approved, or that S3 would not take."""
    if not settings.gate.sets_tags:
        return
    if settings.verdict_retention_days is not None:
        problem = "a verdict that expires would close the gate for its object"
        raise section.conflict("verdict_retention_days", problem, "write null while there is a gate")
    statements = gate_statements(
        settings.gate,
        name=settings.name,
        bucket_arn=f"arn:aws-us-gov:s3:::{'b' * 63}",
        partition="aws-us-gov",
        account="123456789012",
    )
    length = len(json.dumps(statements, separators=(",", ":")))
    if length > MOST_POLICY_BYTES - OTHER_STATEMENTS_BYTES:
        problem = f"the bucket's policy would have {length} bytes for it, S3 takes {MOST_POLICY_BYTES} in all"
        raise section.conflict("gate", problem, "use fewer or shorter roles, VPC endpoints and open prefixes")


def _check_alarms(settings: Settings, section: Section) -> None:
    """Refuse an address that no topic of ours would send to."""
    if settings.alarm_email is not None and settings.alarm_topic_arn is not None:
        problem = "alarms go to alarm_topic_arn, and only a topic that Gatehouse makes has this subscriber"
        raise section.conflict("alarm_email", problem, "subscribe it to your topic and write null, or drop the topic")


def _decision_reasons(section: Section) -> tuple[str, ...]:
    codes = section.texts("decision_reasons", _DEFAULTS.decision_reasons)
    if not codes:
        fix = f"write, for example, [{OTHER}]"
        raise section.conflict("decision_reasons", "without a reason nobody can decide", fix)
    for n, code in enumerate(codes):
        if len(code) > MAX_REASON or not REASON.fullmatch(code):
            fix = f"use small letters and digits with single hyphens between words, at most {MAX_REASON}"
            raise section.error("decision_reasons", f"{shown(code)} is not a reason code", fix, item=n)
    if len(codes) > MAX_REASONS:
        fix = f"keep to {MAX_REASONS}; a note says the rest"
        raise section.error("decision_reasons", f"{len(codes)} codes are too many to choose from", fix)
    return codes


def _log_retention(section: Section) -> int:
    key = "log_retention_days"
    days = section.integer(key, _DEFAULTS.log_retention_days, LOG_RETENTION_DAYS[0], LOG_RETENTION_DAYS[-1], "days")
    if days not in LOG_RETENTION_DAYS:
        below = max(choice for choice in LOG_RETENTION_DAYS if choice < days)
        above = min(choice for choice in LOG_RETENTION_DAYS if choice > days)
        raise section.error(key, f"CloudWatch Logs can't keep events for {days} days", f"write {below} or {above}")
    return days


def _key_parts(section: Section, key: str, default: tuple[str, ...], *, at_the_end: bool = False) -> tuple[str, ...]:
    """What keys begin or end with, as a list says it."""
    parts: list[str] = []
    for n, written in enumerate(section.texts(key, default)):
        part = _key_part(section, key, written, n, at_the_end=at_the_end)
        if part in parts:
            raise section.error(key, f"{quoted(part)} stands in it twice", "keep one of them", item=n)
        parts.append(part)
    return tuple(parts)


def _key_part(section: Section, key: str, written: str, item: int | None = None, *, at_the_end: bool = False) -> str:
    """The text that an object's key begins or ends with; refuses what none can, and what is taken for another thing."""
    if not is_text(written):
        fix = "write the character itself, or drop it"
        raise section.error(key, f"{shown(written)} has half a character", fix, item=item)
    part = literal(written)
    if len(part.encode()) > MAX_KEY_BYTES:
        problem = f"{shown(written)} is longer than an object's key"
        raise section.error(key, problem, f"keep to {MAX_KEY_BYTES} bytes", item=item)
    if wrong := misreading(written, at_the_end=at_the_end):
        every_key = ' ("" takes every key)' if key == "prefixes" else ""
        fix = wrong.fix(_as_yaml, f"what keys {'end' if at_the_end else 'begin'} with{every_key}")
        raise section.error(key, f"{shown(written)} {wrong.problem}", fix, item=item)
    return part


def _as_yaml(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else quoted(text)
