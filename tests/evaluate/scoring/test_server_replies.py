"""What a server's reply may be besides a plain text, and parameters that a model refuses."""

from __future__ import annotations

import pytest

from paft.errors import ModelError
from paft.evaluate.cells import evaluate_matrix
from paft.evaluate.log import EvaluationLog
from paft.evaluate.matrix import Matrix
from paft.evaluate.rows import answer_figures, cell_warnings, scoring_line
from paft.evaluate.scoring.server import ServedModel, Server
from paft.task.task import Task

pytest.importorskip("openai")
FILTERED = {"message": "The response was filtered due to the prompt", "code": "content_filter", "type": None}


@pytest.fixture
def task():
    rows = [{"question": f"What is {i} + {i}?", "answer": "2"} for i in range(4)]
    return Task(
        name="sums", fields={"question": "a question"}, answer={"rule": "number"},
        data={"train": rows, "test": rows}, prompt="{question} =",
    )  # fmt: skip


@pytest.fixture
def judge(server, task):
    """Return the matrix of a served model's answers to the task's four questions."""

    def cells(log=None, **settings):
        served = ServedModel("m", Server(base_url=server.url, retry_wait=0.001, **settings))
        return evaluate_matrix(served, task, task.prompts, task.examples("test"), log=log)

    return cells


def message(content, finish="stop", **more):
    return {"message": {"role": "assistant", "content": content, **more}, "finish_reason": finish}


@pytest.mark.parametrize(
    ("choice", "prediction", "cut", "withheld"),
    [
        (message([{"type": "text", "text": "It is "}, {"type": "text", "text": "2."}]), "2", False, False),
        (message([{"type": "thinking", "thinking": "3?"}, {"type": "text", "text": "2"}]), "2", False, False),
        (message([{"type": "output_text", "text": "2"}]), "2", False, False),
        (message(["It is ", {"type": "text", "text": "2"}]), "2", False, False),
        (message([{"type": "refusal", "refusal": "I count 1 reason not to"}]), None, False, True),
        (message([]), None, False, False),
        (message(None), None, False, False),
        (message(None, refusal="I have 2 reasons not to"), None, False, True),
        (message(None, "length", reasoning_content="2 or 3"), None, True, False),
        (message("2", reasoning_content="is it 3?"), "2", False, False),
        (message("<think>3?</think>2"), "2", False, False),
        (message("<think>2, or", "length"), None, True, False),
        (message("2 of", "length"), "2", True, False),
        (message("2 of", "FinishReason.MAX_TOKENS"), "2", True, False),
        (message("2 of", "max_new_tokens"), "2", True, False),
        (message("2", "eos_token"), "2", False, False),
        (message("For 1 reason I won't", refusal="For 1 reason I won't"), None, False, True),
        (message("It is 2", "length"), None, True, False),  # or 25
        (message("2", "content_filter"), None, False, True),
        (message("2", "SAFETY"), None, False, True),
        (message("\ud800 2"), "2", False, False),  # half a character
    ],
)
def test_the_answer_is_read_out_of_a_reply_of_any_shape(server, judge, choice, prediction, cut, withheld):
    server.reply = lambda text, body: choice
    cell = judge().cells[0]
    expected = (prediction, prediction is not None, float(prediction == "2"), cut, withheld)
    assert (cell.prediction, cell.parsed, cell.score, cell.cut, cell.withheld) == expected


def test_plain_completions_are_cut_too(server, judge):
    server.reply = lambda text, body: {"text": "2 and", "finish_reason": "length"}
    assert {(cell.prediction, cell.cut) for cell in judge(completions=True).cells} == {("2", True)}


@pytest.mark.parametrize(
    "error",
    [
        FILTERED,
        {"message": "flagged", "code": "invalid_prompt"},
        {"message": "x", "code": "data_inspection_failed"},
        {"message": "x", "code": None, "innererror": {"code": "ResponsibleAIPolicyViolation"}},
        {"message": "blocked by our content management policy", "code": None},
    ],
)
def test_a_filtered_cell_is_counted_recorded_and_the_run_goes_on(server, judge, error, tmp_path):
    server.reply = lambda text, body: "It is 2."
    server.refuse = lambda text, body: error if "3 + 3" in text else None
    kept = EvaluationLog(tmp_path, "test")
    matrix = judge(kept)
    assert [(cell.parsed, cell.score, cell.withheld) for cell in matrix.cells] == [(True, 1.0, False)] * 3 + [
        (False, 0.0, True)
    ]
    asked = len(server.bodies)
    assert judge(EvaluationLog(tmp_path, "test")) == matrix
    assert len(server.bodies) == asked == 4
    (warning,) = cell_warnings("m", "test", matrix)
    assert warning.startswith("m: 1 of 4 test answers were withheld")


def test_another_400_still_ends_the_run(server, judge):
    server.refuse = lambda text, body: {
        "message": "context length exceeded",
        "code": "context_length_exceeded",
    }
    with pytest.raises(ModelError, match=r"HTTP status 400: .*context length"):
        judge()


@pytest.mark.parametrize(
    ("parameter", "error"),
    [
        (
            "temperature",
            {"message": "Unsupported value", "code": "unsupported_value", "param": "temperature"},
        ),
        ("temperature", {"message": "`temperature` is deprecated for this model.", "code": None}),
        ("repetition_penalty", {"message": "Unrecognized request argument supplied: repetition_penalty"}),
        ("repetition_penalty", {"message": 'Unknown name "repetition_penalty": Cannot find field.'}),
        ("max_tokens", {"message": "Unsupported parameter: use 'max_completion_tokens' instead."}),
    ],
)
def test_a_parameter_that_a_model_refuses_is_left_out_once_learnt(server, judge, parameter, error):
    server.reply = lambda text, body: "It is 2."
    server.refuse = lambda text, body: error if parameter in body else None
    matrix = judge(concurrency=1)
    assert matrix.scores.tolist() == [[1.0] * 4]
    assert [parameter in body for body in server.bodies] == [True] + [False] * 4
    sampled = parameter == "temperature"
    assert {cell.sampled for cell in matrix.cells} == {sampled}
    assert [("sampled" in warning) for warning in cell_warnings("m", "test", matrix)] == [True] * sampled


def test_both_at_once_as_reasoning_models_do(server, judge, tmp_path):
    def refuse(text, body):
        if "max_tokens" in body:
            return {
                "message": "use 'max_completion_tokens'",
                "code": "unsupported_parameter",
                "param": "max_tokens",
            }
        return {"message": "no", "param": "temperature"} if "temperature" in body else None

    server.reply, server.refuse = (lambda text, body: "It is 2."), refuse
    matrix = judge(EvaluationLog(tmp_path, "test"), concurrency=1)
    assert set(server.bodies[-1]) == {"model", "messages", "max_completion_tokens", "repetition_penalty"}
    assert judge(EvaluationLog(tmp_path, "test")) == matrix  # also that they were sampled
    assert all(cell.sampled for cell in matrix.cells)


def test_a_prompt_that_speaks_of_temperature_is_no_refused_parameter(server, judge):
    server.refuse = lambda text, body: {"message": "the prompt 'What is the temperature?' is too long"}
    with pytest.raises(ModelError, match="too long"):
        judge()


def test_openai_gets_its_own_parameters_only():
    assert ServedModel("m", Server()).endpoint(5).extra == ()


def test_cut_answers_are_counted_and_said(server, judge):
    server.reply = lambda text, body: message("2 and", "length" if "1 + 1" in text else "stop")
    matrix = judge()
    told = answer_figures(matrix)
    assert (told["cut_answers"], told["withheld_answers"]) == (1, 0)
    assert scoring_line({"by": "generation", "rule": "number", **told}).endswith(
        ", 1 cut at the limit of tokens"
    )
    (warning,) = cell_warnings("m", "test", matrix)
    assert warning.startswith("m: 1 of 4 test answers were cut at the limit of tokens (answer.max_tokens")


def test_matrices_of_former_versions_are_read(server, judge, tmp_path):
    from pyarrow import parquet

    server.reply = lambda text, body: "It is 2."
    matrix = judge()
    matrix.save(tmp_path / "new.parquet")
    table = parquet.read_table(tmp_path / "new.parquet").drop_columns(["cut", "withheld", "sampled"])
    parquet.write_table(table, tmp_path / "old.parquet")
    assert Matrix.load(tmp_path / "old.parquet") == Matrix.load(tmp_path / "new.parquet") == matrix
