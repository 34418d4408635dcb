"""The parameters that say which version of each policy is active."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyPointerError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import ParameterTypeDef

#: Maximum number of names in a GetParameters call (Systems Manager API reference, GetParameters).
_NAMES_A_CALL = 10


class PolicyParameterMissingError(RuntimeError):
    """A parameter that the template names does not exist. The active policy is unknown, so nothing is judged."""


class PolicyParameters:
    """Reads pointers, ten per call.

    Args:
        client: a Systems Manager client.
        names: policy name -> name of its parameter.
    """

    def __init__(self, client: "SSMClient", names: Mapping[str, str]) -> None:
        self._client = client
        self._names = names

    def read(self) -> dict[str, PolicyPointer]:
        """Every policy's pointer, by the policy's name.

        Raises:
            PolicyParameterMissingError: a parameter does not exist.
            PolicyPointerError: a parameter does not hold a pointer to its own policy.
            ClientError: a call to Systems Manager failed.
        """
        found = {policy: parameter for some, _ in self._answers() for policy, parameter in some.items()}
        values = {policy: parameter["Value"] for policy, parameter in found.items() if parameter is not None}
        if missing := sorted(self._names[policy] for policy in found if policy not in values):
            raise PolicyParameterMissingError(f"no such parameter: {', '.join(missing)}; deploy the storage stack")
        return {policy: self._pointer(policy, value) for policy, value in values.items()}

    def _pointer(self, policy: str, value: str) -> PolicyPointer:
        try:
            return pointer_to(policy, value)
        except PolicyPointerError as error:
            raise PolicyPointerError(f"parameter {self._names[policy]} of policy {policy}: {error}") from error

    def _answers(self) -> Iterator[tuple[Mapping[str, "ParameterTypeDef | None"], Any]]:
        """Each policy's parameter, or None if it does not exist, with the metadata of the answer."""
        policies = sorted(self._names)
        for start in range(0, len(policies), _NAMES_A_CALL):
            some = policies[start : start + _NAMES_A_CALL]
            answer = self._client.get_parameters(Names=[self._names[policy] for policy in some])
            by_name = {parameter["Name"]: parameter for parameter in answer["Parameters"]}
            yield {policy: by_name.get(self._names[policy]) for policy in some}, answer["ResponseMetadata"]


def pointer_to(policy: str, value: str) -> PolicyPointer:
    """The pointer that a policy's parameter holds.

    Raises:
        PolicyPointerError: it does not hold a pointer to that policy.
    """
    pointer = PolicyPointer.from_text(value)
    if pointer.name != policy:
        raise PolicyPointerError(f"it points to policy {pointer.name}")
    return pointer
