from tests import slow_model


def test_a_slow_model_gets_the_newest_frame_and_each_is_accounted_for():
    course = slow_model.run(1.0, 0.05, 0.004)
    assert len(course.answered_s) >= 2
    assert course.miscounted == 0
    assert course.given == course.dropped + len(course.answered_s)
    assert course.dropped > 0
