import statistics

import numpy as np
import pytest

from benchmarks.percentiles import disagree, summarize


def test_percentiles_are_numpys_linear_ones():
    times = [4.0, 1.0, 3.0, 2.0, 5.0]
    expected = {"min": 1.0, "p50": 3.0, "p90": 4.6, "p99": 4.96, "mean": 3.0}
    assert summarize(np.array(times)) == {**expected, "std": round(statistics.stdev(times), 4)}


def test_one_run_has_no_deviation():
    summary = summarize(np.array([0.25]))
    assert {key: summary.pop(key) for key in ("std",)} == {"std": 0.0}
    assert set(summary.values()) == {0.25}


@pytest.mark.parametrize(
    ("medians", "expected"), [([1.0, 1.04], False), ([1.06, 1.0, 1.01], True), ([2.0], False), ([1.0, 0.9], True)]
)
def test_repeats_that_differ_by_more_than_5_percent_disagree(medians, expected):
    assert disagree(medians) is expected
