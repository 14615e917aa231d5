import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import UserError
from train.cluster import Cluster, find_cluster

TWO = {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}


def environment(cluster, task):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


def test_a_worker_finds_its_place():
    cluster = find_cluster("auto", environment(TWO, {"type": "worker", "index": 1}))
    assert cluster == Cluster(("10.0.0.1:2222", "10.0.0.2:2222"), 1)
    assert json.loads(cluster.to_json()) == {"cluster": TWO, "task": {"type": "worker", "index": 1}}


def test_a_chief_is_the_first_worker():
    jobs = {"chief": ["a:1"], "worker": ["b:1", "[::1]:1"]}
    assert find_cluster("multiworker", environment(jobs, {"type": "chief", "index": 0})).index == 0
    assert find_cluster("auto", environment(jobs, {"type": "worker", "index": 1})) == Cluster(
        ("a:1", "b:1", "[::1]:1"), 2
    )


@pytest.mark.parametrize("config", [{}, {"TF_CONFIG": ""}, {"TF_CONFIG": "{}"}, {"TF_CONFIG": '{"cluster": {}}'}])
def test_without_a_cluster_a_process_trains_alone(config):
    assert find_cluster("auto", config) is None


@pytest.mark.parametrize("strategy", ["one", "mirrored"])
def test_a_cluster_can_be_left_aside(strategy):
    assert find_cluster(strategy, {"TF_CONFIG": "no JSON"}) is None


@pytest.mark.parametrize("config", [{}, {"TF_CONFIG": "{}"}, {"TF_CONFIG": '{"cluster": {}}'}])
def test_several_workers_need_a_cluster(config):
    with pytest.raises(UserError, match="Expected TF_CONFIG with workers for --strategy multiworker, found none"):
        find_cluster("multiworker", config)


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("{", "got no JSON"),
        ("[" * 100_000, "got no JSON"),
        ("[]", "got a list"),
        ("3", "got a number"),
        ('{"cluster": [], "task": {}}', "a cluster that is a list"),
        ('{"cluster": {"ps": ["a:1"], "worker": ["b:1"]}, "task": {}}', 'a cluster with "ps"'),
        ('{"cluster": {"a\\nb": []}}', r"a cluster with "),
        ('{"cluster": true, "task": {}}', "a cluster that is true or false"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": ["worker"], "index": 0}}', r'a task of type \["worker"\]'),
        ('{"cluster": {"worker": "a:1"}}', 'worker "a:1"'),
        ('{"cluster": {"worker": ["a"]}}', r'worker \["a"\]'),
        ('{"cluster": {"worker": ["a:0"]}}', r'worker \["a:0"\]'),
        ('{"cluster": {"worker": ["a:65536"]}}', "worker"),
        ('{"cluster": {"worker": ["a:1", "a:1"]}}', "the same address: a:1, a:1"),
        ('{"cluster": {"worker": ["a:1"]}}', "a task of type null"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "evaluator", "index": 0}}', 'a task of type "evaluator"'),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}', "index 1 for 1 addresses"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": "0"}}', 'index "0"'),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": true}}', "index true"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}', "index null"),
    ],
)
def test_what_is_malformed_is_one_line(text, got):
    with pytest.raises(UserError, match=got) as caught:
        find_cluster("auto", {"TF_CONFIG": text})
    assert "\n" not in str(caught.value)
    assert "train.launch --hosts" in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["worker", "type", "index", "x"]), inner)
    ),
    max_leaves=6,
)


@given(st.fixed_dictionaries({}, optional={"cluster": json_values, "task": json_values}) | json_values)
def test_any_json_is_a_cluster_or_a_user_error(content):
    with contextlib.suppress(UserError):
        cluster = find_cluster("auto", {"TF_CONFIG": json.dumps(content)})
        assert cluster is None or 0 <= cluster.index < len(cluster.workers)
