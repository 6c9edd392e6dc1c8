from barograph_cli.history.log.range_arguments import join_moments


def test_a_duration_ago_may_stand_behind_its_flag() -> None:
    """argparse alone would take it for another option."""
    joined = join_moments(["--from", "-1h", "--to", "now", "-x", "--service", "-1"])
    assert joined == ["--from=-1h", "--to", "now", "-x", "--service", "-1"]
