"""Any language model of transformers as a judge: from the hub or a local folder, text only or image and text.

`hf:MODEL[?revision=...&bits=4|8|16|32&device=...&mode=...&max_tokens=N&rows=N]`.
"""

from lmgt_core.errors import UserError
from lmgt_core.judges.huggingface.loading import load, taught, wanted
from lmgt_core.judges.huggingface.shared_prefix import ROWS
from lmgt_core.judges.label_scoring import MAX_TOKENS, LabelScoringJudge, known_options, mode_option, whole_number
from lmgt_core.judging.judge import Judge, JudgeKind
from lmgt_core.judging.registry import JudgeContext, JudgeSpec

OPTIONS = ("revision", "bits", "device", "mode", "max_tokens", "rows")
VISION_ROWS = 8  # at most; images take memory


def make(spec: JudgeSpec, context: JudgeContext) -> Judge:
    """The judge `hf:MODEL`; UserError for what is missing: weights, memory, a package, a device, a chat format."""
    known_options(spec, spec.options, OPTIONS)
    if not spec.argument:
        raise UserError(f"--judge {spec}: hf:MODEL needs a model, a folder or a name on the hub")
    mode = mode_option(spec, spec.options.get("mode", "auto"))
    max_tokens = whole_number(spec, "max_tokens", spec.options.get("max_tokens", str(MAX_TOKENS)))
    rows = whole_number(spec, "rows", spec.options.get("rows", str(ROWS)))
    found = load(wanted(f"--judge {spec}", spec.argument, spec.options))

    from lmgt_core.judges.huggingface.scoring import HfTextModel, HfVisionModel

    try:
        if found.sees_images:
            model: HfTextModel | HfVisionModel = HfVisionModel(
                found.model, found.reader, found.context, min(rows, VISION_ROWS)
            )
        else:
            model = HfTextModel(found.model, found.reader, found.context, rows)
    except UserError as error:
        raise UserError(f"--judge {spec}: {error}") from None
    kind = JudgeKind.VISION_LANGUAGE_MODEL if found.sees_images else JudgeKind.LANGUAGE_MODEL
    kind = JudgeKind.TRAINED if taught(spec.argument) else kind
    repairs = "".join(f":{repair}" for repair in model.chat.repairs)
    # before 0.2 these lost what a batch began with: a cache must not give those answers again
    whole = ":whole" if isinstance(model, HfTextModel) and not model.tokens.shares else ""
    id = f"hf:{found.name}:{found.content}:{found.bits}:{found.precision}{repairs}{whole}"
    return LabelScoringJudge(model, id, kind, mode, max_tokens)
