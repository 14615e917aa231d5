import random

from tests import kill_and_resume


def test_killed_and_resumed_it_ends_as_if_nothing_had_happened(tmp_path):
    died, finished, different = kill_and_resume.kill(tmp_path, 4, 6, random.Random(1))
    assert died.total() == 4
    assert finished >= 1
    assert different == 0
