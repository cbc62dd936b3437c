import numpy as np
import pytest

from lmgt_core.errors import UserError
from lmgt_core.judges import minilm
from lmgt_core.judges.minilm import ANCHORS, MiniLMEncoder, MiniLMJudge, Pair, anchors, installed_model, judgment
from lmgt_core.judges.score_thresholds import Calibration
from lmgt_core.judging.judge import JudgeKind
from lmgt_core.judging.judgment import Verdict
from lmgt_core.judging.prompt import Prompt
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.testing.judge import JudgeContract

TEXTS = ["Where does the toaster belong?", "The counter in the kitchen.", "toaster", "Where do you keep the soap dish?"]
EVEN = Calibration(threshold=0.0, temperature=0.1)


@pytest.fixture(scope="module")
def encoder():
    return MiniLMEncoder.load()


def test_vectors_are_unit_length_and_in_the_order_of_the_texts(encoder):
    vectors = encoder.encode([TEXTS[1], TEXTS[0], TEXTS[1]])
    assert vectors.shape == (3, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    assert (vectors[0] == vectors[2]).all()
    assert (vectors[0] != vectors[1]).any()


def test_no_texts_give_no_vectors(encoder):
    assert encoder.encode([]).shape == (0, 384)


def test_a_text_has_the_same_bits_alone_and_in_any_batch():
    together = MiniLMEncoder(installed_model()).encode([*TEXTS, *(f"thing number {i}" for i in range(20))])
    alone = MiniLMEncoder(installed_model())
    for text, vector in reversed(list(zip(TEXTS, together, strict=False))):
        assert (alone.encode([text])[0] == vector).all()


def test_a_text_is_encoded_once(encoder, monkeypatch):
    encoder.encode(TEXTS)
    monkeypatch.setattr(encoder, "_forward", lambda tokens: pytest.fail("encoded again"))
    encoder.encode(TEXTS)


def test_related_texts_are_nearer_than_unrelated_ones(encoder):
    question = "Where do you store the toothbrush?"
    near, far = (
        encoder.similarity(question, f"The {place}.") for place in ("sink in the bathroom", "piano in the lobby")
    )
    assert near > far + 0.1


def test_a_long_text_is_cut_at_the_models_limit(monkeypatch):
    encoder, seen = MiniLMEncoder(installed_model()), []
    monkeypatch.setattr(encoder, "_forward", lambda tokens: seen.extend(tokens) or np.zeros((len(tokens), 384)))
    encoder.encode(["kitchen " * 254, "kitchen " * 255, "kitchen " * 1000])  # two marks stand around the words
    assert [len(tokens) for tokens in seen] == [256, 256, 256]
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.slow
def test_the_forward_pass_is_that_of_the_library(encoder):
    import torch
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(installed_model()).eval()
    tokens = AutoTokenizer.from_pretrained(installed_model())(TEXTS, padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = model(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    pooled = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1)).numpy()
    np.testing.assert_allclose(encoder.encode(TEXTS), pooled, atol=1e-6)


def test_a_missing_package_is_an_error_with_the_line_that_installs_it(monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package_anywhere")
    with pytest.raises(UserError, match="needs no_such_package_anywhere: pip install"):
        installed_model()


def pair_of(prompt: Prompt) -> Pair | None:
    """The pairs of these tests: what the facts say."""
    if "statement" not in prompt.facts:
        return None
    verdict = Verdict(prompt.facts.get("verdict", "good"))
    return Pair(prompt.user, prompt.facts["statement"], prompt.facts.get("group", ""), verdict)


def ask(judge: MiniLMJudge, statement: str, **facts: str):
    return judge.judge([Prompt("", "Where do you store the fork?", facts={"statement": statement, **facts})])[0]


def test_an_answer_is_the_logistic_of_the_similarity(encoder):
    judge = MiniLMJudge(encoder, pair_of, Calibration(0.2, 0.1), "test", "t")
    cosine = encoder.similarity("Where do you store the fork?", "The drawer.")
    answer = ask(judge, "The drawer.")
    assert answer.probabilities[0] == pytest.approx(1 / (1 + np.exp(-(cosine - 0.2) / 0.1)), abs=1e-9)
    assert sum(answer.probabilities) == pytest.approx(1)
    assert answer.verdict is (Verdict.GOOD if cosine >= 0.2 else Verdict.BAD)


def test_a_statement_may_speak_for_bad(encoder):
    judge = MiniLMJudge(encoder, pair_of, EVEN, "test", "t")
    good, bad = ask(judge, "The drawer."), ask(judge, "The drawer.", verdict="bad")
    assert (good.verdict, bad.verdict) == (Verdict.GOOD, Verdict.BAD)
    assert good.probabilities == pytest.approx(bad.probabilities[::-1])


def test_a_group_has_its_own_threshold(encoder):
    judge = MiniLMJudge(encoder, pair_of, Calibration(0.0, 0.1, {"strict": 0.99}), "test", "t")
    assert ask(judge, "The drawer.").verdict is Verdict.GOOD
    assert ask(judge, "The drawer.", group="strict").verdict is Verdict.BAD


def test_a_prompt_without_a_pair_is_neutral_and_keeps_its_place(encoder):
    judge = MiniLMJudge(encoder, pair_of, EVEN, "test", "t")
    prompts = [Prompt("", "go"), Prompt("", "fork?", facts={"statement": "The drawer."}), Prompt("", "look")]
    verdicts = [answer.verdict for answer in judge.judge(prompts)]
    assert verdicts == [Verdict.NEUTRAL, Verdict.GOOD, Verdict.NEUTRAL]
    assert judge.judge([]) == []


def test_the_id_changes_with_calibration_template_and_domain(encoder):
    ids = {
        MiniLMJudge(encoder, pair_of, calibration, domain, template).id
        for calibration in (EVEN, Calibration(0.0, 0.1, {"a": 0.1}), Calibration(0.0, 0.2))
        for domain in ("one", "two")
        for template in ("t", "u")
    }
    assert len(ids) == 12
    assert all(encoder.revision in name for name in ids)


def test_a_domain_without_pairs_is_judged_against_plain_sentences():
    judge = make_judge("minilm", JudgeContext("anything"))
    assert judge.kind is JudgeKind.EMBEDDING
    good, bad = judge.judge(
        [Prompt("", "This is a good and helpful action."), Prompt("", "This is a bad, harmful action.")]
    )
    assert (good.verdict, bad.verdict) == (Verdict.GOOD, Verdict.BAD)
    assert ANCHORS.digest in judge.id
    with pytest.raises(UserError, match="takes no argument"):
        make_judge("minilm:large", JudgeContext("anything"))


def test_a_question_that_is_cut_is_unreadable_and_costs_only_itself():
    judge = make_judge("minilm", JudgeContext("anything"))
    long, short = judge.judge([Prompt("", "The pole is upright. " * 80 + "It falls."), Prompt("", "It falls.")])
    assert long.verdict is Verdict.UNREADABLE and "256 tokens" in long.reason and long.probabilities is None
    assert short.probabilities is not None
    assert judge.judge([Prompt("", "The pole is upright. " * 80 + "It falls.")]) == [long]  # remembered as cut


def test_a_contrast_is_subtracted(encoder):
    judge = MiniLMJudge(encoder, anchors, ANCHORS, "test", "anchors")
    pair = anchors(Prompt("", "whatever"))
    by_hand = encoder.similarity("whatever", pair.statement) - encoder.similarity("whatever", pair.contrast)
    assert judge.similarities([pair])[0] == pytest.approx(by_hand)


def test_even_odds_are_good():
    assert judgment(0.5).verdict is Verdict.GOOD
    assert judgment(0.25, Verdict.BAD).probabilities == (0.75, 0.0, 0.25)


class TestMiniLMWithAnchors(JudgeContract):
    def make_judge(self):
        return make_judge("minilm", JudgeContext("test"))
