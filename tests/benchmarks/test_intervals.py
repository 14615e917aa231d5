import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from benchmarks.intervals import wilson_interval


@given(st.integers(1, 5000), st.data())
def test_the_interval_is_scipys(n, data):
    right = data.draw(st.integers(0, n))
    expected = binomtest(right, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right / n, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_no_photo_says_nothing():
    assert wilson_interval(0.0, 0) == (0.0, 1.0)
