import numpy as np

from train.mistakes import confused_pairs, most_wrong

LABELS = ["cat", "dog", "eel"]
#               right, cat>dog .9  .6   dog>cat .8  eel>cat .7  .95
TRUTH = np.array([0, 0, 0, 1, 2, 2])
SURE = np.array(
    [[0.8, 0.1, 0.1], [0.1, 0.9, 0.0], [0.4, 0.6, 0.0], [0.8, 0.2, 0.0], [0.7, 0.0, 0.3], [0.95, 0.0, 0.05]]
)
PATHS = ["a", "b", "c", "d", "e", "f"]


def test_pairs_by_hand():
    assert confused_pairs(SURE, TRUTH, LABELS, PATHS) == [
        {"truth": "eel", "answer": "cat", "n": 2, "share": 1.0, "photos": ["f", "e"]},  # two too, but all the eels
        {"truth": "cat", "answer": "dog", "n": 2, "share": 2 / 3, "photos": ["b", "c"]},
        {"truth": "dog", "answer": "cat", "n": 1, "share": 1.0, "photos": ["d"]},
    ]


def test_the_surest_mistakes_come_first():
    found = most_wrong(SURE, TRUTH, LABELS, PATHS)
    assert [each["path"] for each in found] == ["f", "b", "d", "e", "c"]
    assert found[0] == {"path": "f", "truth": "eel", "answer": "cat", "confidence": 0.95}


def test_no_mistake_gives_nothing():
    assert most_wrong(np.eye(3), np.arange(3), LABELS, PATHS) == []
    assert confused_pairs(np.eye(3), np.arange(3), LABELS, PATHS) == []


def test_of_many_only_the_worst_are_named():
    rng = np.random.default_rng(0)
    confidences = rng.dirichlet(np.ones(30), 2000)
    truth = rng.integers(0, 30, 2000)
    labels, paths = [str(number) for number in range(30)], [str(number) for number in range(2000)]
    assert len(most_wrong(confidences, truth, labels, paths)) == 20
    pairs = confused_pairs(confidences, truth, labels, paths)
    assert len(pairs) == 10
    assert all(len(pair["photos"]) == min(4, pair["n"]) for pair in pairs)
