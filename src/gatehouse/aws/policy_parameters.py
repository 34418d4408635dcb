"""The parameters that say which version of each policy is active."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyPointerError

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

#: Names a GetParameters call takes (Systems Manager API reference, GetParameters).
_NAMES_A_CALL = 10


class PolicyParameterMissingError(RuntimeError):
    """A parameter the template names is not there. Nobody can tell which policy holds, so nothing is judged by one."""


class PolicyParameters:
    """Reads pointers, ten a call.

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
            PolicyPointerError: one holds something else than a pointer to its own policy.
            ClientError: Systems Manager did not answer, or not us.
        """
        values = self._values()
        return {name: _pointer(name, parameter, values[parameter]) for name, parameter in self._names.items()}

    def _values(self) -> dict[str, str]:
        names = sorted(self._names.values())
        values: dict[str, str] = {}
        for start in range(0, len(names), _NAMES_A_CALL):
            answer = self._client.get_parameters(Names=names[start : start + _NAMES_A_CALL])
            values |= {parameter["Name"]: parameter["Value"] for parameter in answer["Parameters"]}
        if missing := [name for name in names if name not in values]:
            raise PolicyParameterMissingError(f"no such parameter: {', '.join(missing)}; deploy the storage stack")
        return values


def _pointer(policy: str, parameter: str, value: str) -> PolicyPointer:
    try:
        pointer = PolicyPointer.from_text(value)
    except PolicyPointerError as error:
        raise PolicyPointerError(f"parameter {parameter} of policy {policy}: {error}") from error
    if pointer.name != policy:
        raise PolicyPointerError(f"parameter {parameter} of policy {policy} points to policy {pointer.name}")
    return pointer
