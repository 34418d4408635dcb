"""The policies that hold now: what a lane's parameters point to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gatehouse.aws.policy_parameters import PolicyParameters
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyPointerError, policy_key

#: Seconds that what was read counts as current. A live change is promised to hold within a minute; this leaves the
#: other half to Systems Manager and to a batch that is being made.
MAX_AGE = 30.0


@dataclass(slots=True)
class ActivePolicies:
    """Follows the pointers of one lane's policies for as long as the function instance lives.

    A pointer names a version by its hash: the one that travels with this function, or a document in the work bucket.
    What can't be read is an error, never a reason to judge by something milder. One case is none: a deployment moved
    the pointer and has not come to this function yet, and what it brings never judged before. Until it comes, the
    function runs with what it has.

    Attributes:
        shipped: the policy of a name that travels with the function.
        clock: the time in seconds. The wall's, which Lambda keeps right: AWS does not say whether any other one runs
            on while an instance is frozen between two invocations.
    """

    parameters: PolicyParameters
    work: WorkBucket
    shipped: Callable[[str], Policy]
    clock: Callable[[], float]
    _current: Mapping[str, Policy] = field(default_factory=dict)
    _unknown: dict[str, str] = field(default_factory=dict)
    _read_at: float | None = None
    _found: dict[str, Policy] = field(default_factory=dict)
    _recorded: set[str] = field(default_factory=set)

    @property
    def unknown(self) -> Mapping[str, str]:
        """Policies that run as shipped because nobody knows the version their pointer names: name -> its hash."""
        return self._unknown

    def current(self) -> Mapping[str, Policy]:
        """The lane's policies by name, no older than `MAX_AGE`; each is recorded in the work bucket.

        Raises:
            PolicyParameterMissingError, PolicyPointerError: a pointer, or what it points to, can't be used.
            FileNotFoundError: the function travels without a policy of that name.
            ClientError: AWS did not answer, or not us.
        """
        now = self.clock()
        if self._read_at is None or not 0 <= now - self._read_at < MAX_AGE:  # also if the clock was set back
            self._unknown.clear()
            self._current = {name: self._follow(pointer) for name, pointer in self.parameters.read().items()}
            self._read_at = now
        return self._current

    def _follow(self, pointer: PolicyPointer) -> Policy:
        shipped = self.shipped(pointer.name)
        if pointer.hash == shipped.hash:
            return self._record(shipped)
        if pointer.hash not in self._found:
            found = self.work.find_policy(pointer)
            if found is None and pointer.is_live:
                raise PolicyPointerError(f"policy {pointer.name} points to {policy_key(pointer.hash)}, which is absent")
            if found is None:
                self._unknown[pointer.name] = pointer.hash
                return self._record(shipped)
            self._found[pointer.hash] = found
        return self._found[pointer.hash]

    def _record(self, policy: Policy) -> Policy:
        if policy.hash not in self._recorded:
            self.work.record_policy(policy)
            self._recorded.add(policy.hash)
        return policy
