"""The installed language model as a folder of transformers' kind."""

from pathlib import Path

import pytest

from lmgt_core.judges.smollm2.gguf_export import export_folder
from lmgt_core.judges.smollm2.gguf_file import GgufFile
from lmgt_core.judging.description import Description
from lmgt_core.judging.prompt import PromptTemplate
from lmgt_core.judging.registry import JudgeContext, make_judge
from lmgt_core.models.store import find_model


@pytest.mark.slow
def test_an_exported_model_judges_as_the_file_does_and_eight_bits_judge_almost_so(tmp_path: Path) -> None:
    export_folder(GgufFile(find_model("smollm2")), tmp_path)
    template = PromptTemplate("You judge a robot. Answer good or bad.", "{state} Is it good or bad to {action}?")
    prompts = [template.render(Description(f"There is a {x} in the sink.", "leave it")) for x in ("mug", "shoe", "bed")]
    here, whole, eight = (
        make_judge(name, JudgeContext("test"))
        for name in ("smollm2", f"hf:{tmp_path}?bits=32&device=cpu", f"hf:{tmp_path}?bits=8&device=cpu")
    )
    assert here is not None and whole is not None and eight is not None
    expected = [a.expected_label for a in here.judge(prompts)]
    assert [a.expected_label for a in whole.judge(prompts)] == pytest.approx(expected, abs=1e-4)
    assert [a.expected_label for a in eight.judge(prompts)] == pytest.approx(expected, abs=0.1)
