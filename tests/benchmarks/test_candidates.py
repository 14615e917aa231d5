import pytest

from benchmarks.candidates import read_candidates
from edge import UserError
from tests.benchmarks.fake_run import FLOAT, HASHES, INT8, MACHINE, ONNX, timed, write, write_run


def test_a_runs_candidates(tmp_path):
    run = write_run(tmp_path / "demo")
    candidates, machine = read_candidates(run, None)
    assert machine == "Cortex-A76, 4 cores"
    assert [(c.model, c.runtime, c.num_threads) for c in candidates] == [
        ("model.keras", None, None),
        (FLOAT, "ai-edge-litert 2.3.0", 1),
        (FLOAT, "ai-edge-litert 2.3.0", 4),
        (INT8, "ai-edge-litert 2.3.0", 1),
        (ONNX, None, None),
    ]
    keras, _, _, int8, onnx = candidates
    assert (keras.run, keras.architecture, keras.dataset) == ("demo", "cnn", "solar, 2 classes")
    assert (keras.size_bytes, keras.accuracy, keras.accuracy_interval) == (1_200_000, 0.7921, (0.75, 0.83))
    assert not keras.is_converted
    assert (int8.scheme, int8.size_bytes, int8.n, int8.accuracy, int8.agreement) == ("int8", 104_000, 394, 0.787, 0.985)
    assert int8.accuracy_interval == pytest.approx((0.7439, 0.8246), abs=1e-3)  # Wilson's by a table
    assert (int8.invoke_ms, int8.frame_to_label_ms, int8.frame_to_label_p90_ms, int8.latency_ratio) == (
        0.5,
        0.7,
        1.4,
        0.25,
    )
    assert (onnx.invoke_ms, onnx.frame_to_label_ms, onnx.peak_rss_bytes, onnx.robustness) == (None, None, None, None)
    assert onnx.latency_ratio == 1.0  # as convert.quantize measured it


def test_what_the_benchmarks_measured(tmp_path):
    run = write_run(tmp_path / "demo")
    about = {"run": "demo", "model": INT8, "sha256": HASHES[INT8], "runtime": "ai-edge-litert 2.3.0", "num_threads": 1}
    judged = {**about, "n": 1000, "accuracy": 0.7, "accuracy_interval": [0.67, 0.73], "agreement": 0.9}
    rows = {
        "latency": [timed(INT8, 1.0, 2.0, run="demo", noisy=True, slower_than_float32=False)],
        "accuracy": [{**judged, "photos": "a folder", "accuracy": 0.1}, {**judged, "photos": "eval.npz"}],
        "robustness": [
            {**about, "case": "blur", "accuracy": [0.5] * 5},
            {**about, "case": "all", "corrupted_accuracy": 0.6},
        ],
        "size": [{**about, "gzip_bytes": 90_000, "peak_rss_bytes": 80_000_000}],
    }
    results = {"machine": MACHINE, **{name: {"machine": MACHINE, "rows": each} for name, each in rows.items()}}
    (int8,) = (each for each in read_candidates(run, results)[0] if each.model == INT8)
    assert (int8.n, int8.accuracy, int8.accuracy_interval) == (1000, 0.7, (0.67, 0.73))
    assert int8.agreement == 0.985  # with Keras; the row's is with float32
    assert (int8.robustness, int8.gzip_bytes, int8.peak_rss_bytes) == (0.6, 90_000, 80_000_000)
    assert (int8.noisy, int8.is_slower) == (True, False)


def test_only_so_many_threads(tmp_path):
    candidates, _ = read_candidates(write_run(tmp_path), None, threads=[4])
    assert [(c.model, c.num_threads) for c in candidates[1:]] == [(FLOAT, 4), (INT8, None), (ONNX, None)]


def test_a_run_without_a_manifest_goes_by_its_settings(tmp_path):
    run = write_run(tmp_path, data="photos/trash")
    (run / "dataset.json").unlink()
    assert read_candidates(run, None)[0][0].dataset == "trash"


@pytest.mark.parametrize(
    ("file", "made_by"),
    [
        ("metrics.json", "python -m train.run"),
        ("config.json", "python -m train.run"),
        ("model.keras", "python -m train.run"),
        ("conversion.json", "python -m convert.quantize --int8 --run {run}"),
    ],
)
def test_a_missing_file_is_answered_with_the_command_that_writes_it(tmp_path, file, made_by):
    run = write_run(tmp_path)
    (run / file).unlink()
    with pytest.raises(UserError) as refused:
        read_candidates(run, None)
    assert str(refused.value).endswith(made_by.format(run=run))


@pytest.mark.parametrize("file", ["metrics.json", "conversion.json", "latency.json", "dataset.json"])
@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        {"test": 1, "files": 1, "rows": 1, "name": "x", "labels": 1},
        {"test": {"n": "x", "accuracy": 1}, "files": {"a": {}}, "rows": [{"model": INT8}]},
        {"test": {"n": 1, "accuracy": None}, "files": {"a": 1}, "rows": [{"model": INT8, "num_threads": "x"}]},
        {
            "test": {"n": 1},
            "files": {"a": {"sha256": "", "size_bytes": 1, "test": []}, "b": 1},
            "rows": [{"num_threads": 1, "model": INT8, "invoke_ms": 3}],
        },
        {
            "test": {"n": 1, "accuracy": 1, "accuracy_interval": [1]},
            "files": {INT8: {"sha256": "", "size_bytes": 1, "test": {"accuracy": float("nan"), "n": 3}}},
            "rows": [{"num_threads": 1, "model": INT8, "invoke_ms": {"p50": -1}}],
        },
    ],
    ids=str,
)
def test_a_file_that_says_something_else_is_refused(tmp_path, file, content):
    run = write_run(tmp_path)
    write(run / file, content)
    with pytest.raises(UserError, match=r"python -m (train|convert|benchmarks)\.") as refused:
        read_candidates(run, None)
    assert "\n" not in str(refused.value)


def test_names_of_strangers_are_printable(tmp_path):
    run = write_run(tmp_path / "r\x1b[2J", architecture="cnn\n\x07", data="solar\x1b]0;x\r|")
    for candidate in read_candidates(run, None)[0]:
        assert (candidate.run, candidate.architecture) == ("r?[2J", "cnn??")
        assert candidate.dataset == "solar?]0;x?|, 2 classes"
