"""What Rekognition charges."""

from typing import Final

#: USD for each of the first million images of a month in us-east-1. docs/cost.md counts with the same.
LIST_PRICE: Final = 0.001
