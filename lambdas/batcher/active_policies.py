"""The active policies: what a lane's parameters point to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gatehouse.aws.policy_parameters import PolicyParameters
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyPointerError, policy_key

#: Seconds for which the pointers are cached. A live change takes effect within a minute; this leaves the other half to
#: Systems Manager and to a batch in progress.
MAX_AGE = 30.0


@dataclass(slots=True)
class ActivePolicies:
    """Follows the pointers of one lane's policies for as long as the function instance lives.

    A pointer names a version by its hash: the one shipped with this function, or a document in the work bucket. An
    unreadable policy is an error, never a reason to judge by a milder one. The one exception: a deployment has moved
    the pointer to a version that was never used before, and has not updated this function yet. Until it does, the
    function uses the version it was shipped with.

    Attributes:
        shipped: returns the policy of this name that is shipped with the function.
        clock: the wall-clock time in seconds, which Lambda keeps right. AWS does not document whether a monotonic
            clock advances while an instance is frozen between two invocations.
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
        """Policies used as shipped because the version that their pointer names can't be found: name -> its hash."""
        return self._unknown

    def current(self) -> Mapping[str, Policy]:
        """The lane's policies by name, no older than `MAX_AGE`; each is recorded in the work bucket.

        Raises:
            PolicyParameterMissingError, PolicyPointerError: a pointer, or what it points to, can't be used.
            FileNotFoundError: no policy of that name is shipped with the function.
            ClientError: a call to AWS failed.
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
