"""Parsers that do what none may, to see that the fuzzing notices."""

import os
import re
from random import Random

from tests.fuzz.parser import Case, Parser


def _draw(random: Random) -> Case:
    return "".join(random.choice("abc") for _ in range(random.randint(0, 20)))


def _fine(case: Case) -> bool:
    return "b" in str(case)


def _raises(case: Case) -> bool:
    return bool({"a": 1}[str(case)[3:4]]) if "c" in str(case) else True


def _hangs(case: Case) -> bool:
    return re.fullmatch("(a+)+b", "a" * 60) is None if str(case).startswith("ab") else False  # within C, forever


def _dies(case: Case) -> bool:
    if str(case).startswith("ab"):
        os._exit(1)
    return True


def _grows(case: Case) -> bool:
    return bool(bytearray(2**34)) if str(case).startswith("ab") else True


def _draw_to_death(random: Random) -> Case:
    case = _draw(random)
    if str(case).startswith("ab"):
        os._exit(1)
    return case


PARSERS = (
    *(Parser(check.__name__.removeprefix("_"), _draw, check) for check in (_fine, _raises, _hangs, _dies, _grows)),
    Parser("is drawn to death", _draw_to_death, _fine),
)
