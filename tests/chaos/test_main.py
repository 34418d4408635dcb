"""What `make chaos` runs."""

from tests.chaos.__main__ import parts


def test_without_arguments_it_runs_the_table_and_fresh_seeds_and_whatever_failed_once() -> None:
    table, fresh, decisions, moderated, gated, walked, *failed_once = parts([])

    assert (table.command, table.filter) == ("table", [])
    assert fresh.command == "random"
    assert (decisions.command, decisions.uploads) == ("decisions", 500)
    assert (moderated.command, gated.command, walked.command) == ("moderate", "gate", "walk")
    assert {parts([])[1].seed for _ in range(5)} != {fresh.seed}
    assert ("random", 2_500, 271828) in [(each.command, each.uploads, each.seed) for each in failed_once]


def test_what_is_asked_for_is_run_alone() -> None:
    (asked,) = parts(["random", "--seed", "7"])

    assert (asked.command, asked.seed) == ("random", 7)
