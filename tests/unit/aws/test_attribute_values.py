from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.aws.attribute_values import attribute_value

CONFIDENCES = st.floats(0, 100).map(lambda number: round(number, 6))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | CONFIDENCES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def _with_decimals(value: Any) -> Any:
    match value:
        case float():
            return Decimal(repr(value))
        case list():
            return [_with_decimals(entry) for entry in value]
        case dict():
            return {name: _with_decimals(entry) for name, entry in value.items()}
    return value


@given(VALUES)
def test_a_value_is_written_as_boto3_writes_it(value: Any) -> None:
    written = TypeSerializer().serialize(_with_decimals(value))

    assert attribute_value(value) == written
    assert attribute_value(_with_decimals(value)) == written


def test_what_no_item_of_ours_holds_is_refused() -> None:
    with pytest.raises(TypeError, match="can't hold a set"):
        attribute_value({"labels": {"Violence"}})
