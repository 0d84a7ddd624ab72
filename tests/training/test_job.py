from __future__ import annotations

import json
from dataclasses import replace

import pytest
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from fedblocks.training.job import DataRequirement, InvalidJob, JobRequest, LocalTraining

JOB = JobRequest(
    architecture="mlp",
    input_shape=(1, 28, 28),
    classes=10,
    target_accuracy_ppm=800_000,
    maximum_epochs=20,
    cohort_size=10,
    requirement=DataRequirement("fashion", "image", (1, 28, 28), (0, 3), 500),
    training=LocalTraining(local_steps=60, batch_size=32, learning_rate_millionths=100_000),
    seed=7,
)
TEXT = (
    '{"architecture":"mlp","classes":10,"cohort_size":10,"input_shape":[1,28,28],"maximum_epochs":20,'
    '"requirement":{"domain":"fashion","input_shape":[1,28,28],"labels":[0,3],"minimum_samples":500,'
    '"modality":"image"},"seed":7,"target_accuracy_ppm":800000,"training":{"batch_size":32,'
    '"learning_rate_millionths":100000,"local_steps":60,"momentum_millionths":0},"version":2}'
)

jobs = st.builds(
    JobRequest,
    architecture=st.sampled_from(["mlp", "cnn", "my-net_2.0"]),
    input_shape=st.just((3, 5)),
    classes=st.integers(11, 100),
    target_accuracy_ppm=st.integers(1, 10**6),
    maximum_epochs=st.integers(1, 1024),
    cohort_size=st.integers(4, 64),
    requirement=st.builds(
        DataRequirement,
        st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True),
        st.just("image"),
        st.just((3, 5)),
        st.sets(st.integers(0, 10)).map(lambda labels: tuple(sorted(labels))),
        st.integers(1, 10**6),
    ),
    training=st.builds(
        LocalTraining, st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 10**6), st.integers(0, 999_999)
    ),
    seed=st.integers(0, 2**53 - 1),
)


def changed(**fields: object) -> str:
    return json.dumps({**json.loads(TEXT), **fields})


def test_a_job_has_one_text_and_its_hash_is_that_texts() -> None:
    assert JOB.to_json() == TEXT
    assert JOB.hash() == keccak(TEXT.encode())
    assert JOB.hash().hex() == "3b3f2359fca58da485b2af8b6ba8cb4b4778ecf76d2aecd7338b9ad25d80f7c8"


@settings(max_examples=50, deadline=None)
@given(jobs)
def test_a_job_comes_back_from_its_text(job: JobRequest) -> None:
    assert JobRequest.from_json(job.to_json()) == job


def test_the_order_of_fields_and_spaces_do_not_change_a_job() -> None:
    shuffled = json.dumps(dict(reversed(json.loads(TEXT).items())), indent=2)
    assert JobRequest.from_json(shuffled).hash() == JOB.hash()


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "cnn"},
        {"classes": 11},
        {"target_accuracy_ppm": 800_001},
        {"maximum_epochs": 21},
        {"cohort_size": 11},
        {"seed": 8},
        {"training": LocalTraining(momentum_millionths=1)},
        {"requirement": DataRequirement("fashion", "image", (1, 28, 28), (0, 4), 500)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_is_in_the_hash(change: dict[str, object]) -> None:
    assert replace(JOB, **change).hash() != JOB.hash()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "deeper than any job"),
        (" " * 2_000_000, "longer"),
        (b"\xff\xfe", "not JSON"),
        ("[]", "not a JSON object"),
        (TEXT.replace('"version":2', '"version":1'), "version must be 2, not 1"),
        (TEXT.replace('"version":2', '"version":2.0'), "version must be 2"),
        (TEXT.replace(',"version":2', ""), "version must be 2, not None"),
        (TEXT.replace('"seed":7', '"seed":7,"seed":8'), "a field twice"),
        (changed(extra=1), "extra is unknown"),
        (TEXT.replace('"seed":7,', ""), "seed is missing"),
        (TEXT.replace('"modality":"image"', '"mode":1'), r"requirement\.mode is unknown"),
        (changed(training=[]), "training must be a JSON object"),
        (changed(input_shape="1x28x28"), "input_shape must be a list"),
        (changed(classes=10.0), r"classes must be an integer.*10\.0"),
        (changed(classes="10"), "classes must be an integer"),
        (changed(cohort_size=True), "cohort_size must be an integer"),
    ],
)
def test_a_text_that_is_no_job_is_refused_with_the_field(text: str, why: str) -> None:
    with pytest.raises(InvalidJob, match=why):
        JobRequest.from_json(text)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"classes": 1}, "classes must be an integer, 2"),
        ({"target_accuracy_ppm": 0}, "target_accuracy_ppm"),
        ({"target_accuracy_ppm": 1_000_001}, "target_accuracy_ppm"),
        ({"maximum_epochs": 1025}, "maximum_epochs"),
        ({"cohort_size": 3}, "cohort_size must be an integer, 4 to 64"),
        ({"cohort_size": 65}, "cohort_size"),
        ({"seed": 2**53}, "seed"),
        ({"seed": -1}, "seed"),
        ({"architecture": "MLP"}, "architecture must be 1 to 64 of a-z"),
        ({"architecture": ""}, "architecture"),
        ({"input_shape": ()}, "input_shape must be 1 to 8 dimensions"),
        ({"input_shape": (0, 28)}, "input_shape must be an integer, 1"),
        ({"input_shape": (28, 28)}, r"requirement\.input_shape must be the model's"),
        ({"classes": 3}, r"requirement\.labels must be below the number of classes, 3"),
    ],
)
def test_a_job_that_nobody_could_train_is_refused(change: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidJob, match=why):
        replace(JOB, **change)


@pytest.mark.parametrize(
    ("labels", "minimum", "why"),
    [((3, 1), 1, "ascend"), ((1, 1), 1, "ascend"), ((-1,), 1, "labels"), ([1], 1, "tuple"), ((), 0, "minimum_samples")],
)
def test_a_requirement_that_means_nothing_is_refused(labels: tuple[int, ...], minimum: int, why: str) -> None:
    with pytest.raises(InvalidJob, match=why):
        DataRequirement("fashion", "image", (1,), labels, minimum)


@pytest.mark.parametrize(
    "fields",
    [
        {"local_steps": 0},
        {"batch_size": 0},
        {"learning_rate_millionths": 0},
        {"momentum_millionths": 1_000_000},
        {"momentum_millionths": -1},
        {"learning_rate_millionths": 0.1},
    ],
    ids=str,
)
def test_a_training_that_trains_nothing_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(InvalidJob, match=next(iter(fields))):
        LocalTraining(**fields)


def test_rates_are_exact_millionths() -> None:
    training = LocalTraining(learning_rate_millionths=100_000, momentum_millionths=900_000)
    assert (training.learning_rate, training.momentum) == (0.1, 0.9)
