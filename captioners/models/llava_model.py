"""An untrained LLaVA of transformers' own class, small enough for a processor, with a tokenizer of a world's own words.

The parts are those of LLaVA 1.5 (Liu et al. 2023, arXiv 2304.08485 and 2310.03744): a CLIP vision tower, whose patches
pass through a projector of two layers into a Llama. Only the sizes and the vocabulary differ.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

PAD, END, UNKNOWN, IMAGE = "<pad>", "<|end|>", "<unk>", "<image>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
WORD = r" ?[A-Za-z0-9']+| ?[^\sA-Za-z0-9']|\s"  # a token is a word or a mark, with the space before it
CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CONTEXT = 1024  # tokens that it reads and writes, images among them
ALWAYS = ("good", "neutral", "bad", "Good", "Neutral", "Bad")  # what judges may be asked to answer

Colours = tuple[tuple[float, ...], tuple[float, ...]]
GREY: Colours = ((0.5,) * 3, (0.5,) * 3)


@dataclass(frozen=True)
class LlavaSize:
    """The size of a LLaVA; widths are numbers a token, `image` and `patch` pixels a side."""

    image: int
    patch: int
    vision_width: int
    vision_layers: int
    text_width: int
    text_layers: int

    @property
    def tokens(self) -> int:
        """Tokens that an image takes in a question."""
        return (self.image // self.patch) ** 2


SIZES = {
    "tiny": LlavaSize(64, 32, 32, 1, 32, 1),  # for tests
    "mini": LlavaSize(96, 32, 128, 2, 128, 2),  # for a processor: what is large, and several frames of it
    "small": LlavaSize(192, 32, 128, 2, 128, 2),  # for a processor and a frame in which something is written
    "medium": LlavaSize(224, 16, 384, 8, 384, 6),  # for a GPU
    "large": LlavaSize(336, 14, 1024, 24, 1024, 16),  # the tower of LLaVA 1.5, from scratch
}


def word_tokenizer(texts: Iterable[str]) -> Any:
    """A tokenizer whose tokens are the words of `texts`; what it decodes is what it encoded, spaces and all."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for text in (*texts, *ALWAYS) for word in re.findall(WORD, text)})
    special = (PAD, END, UNKNOWN, IMAGE, *ROLES)
    vocabulary = {token: i for i, token in enumerate((*special, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), "isolated")
    tokenizer.decoder = decoders.Fuse()
    library: Any = PreTrainedTokenizerFast  # its constructor has no types
    return library(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        additional_special_tokens=[IMAGE, *ROLES],
        padding_side="left",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def make_llava(texts: Iterable[str], size: LlavaSize, seed: int, colours: Colours = GREY) -> tuple[Any, Any]:
    """(model, processor) with random weights, drawn by `seed`, and the words of `texts`.

    `colours` are the mean and the spread of the images' channels, in [0, 1], by which pixels are normalised.
    """
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    tokenizer = word_tokenizer(texts)
    vision = CLIPVisionConfig(
        hidden_size=size.vision_width,
        intermediate_size=4 * size.vision_width,
        num_hidden_layers=size.vision_layers,
        num_attention_heads=max(1, size.vision_width // 32),
        image_size=size.image,
        patch_size=size.patch,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=size.text_width,
        intermediate_size=3 * size.text_width,
        num_hidden_layers=size.text_layers,
        num_attention_heads=max(1, size.text_width // 32),
        max_position_embeddings=CONTEXT,
        initializer_range=size.text_width**-0.5,  # 0.02 is for widths of thousands: narrow layers would start silent
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=False,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
        image_seq_length=size.tokens,
        vision_feature_layer=-1,  # the whole tower is trained, so its last layer is the one to read
        vision_feature_select_strategy="default",  # without CLIP's class token
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(config)
        places = model.model.vision_tower.embeddings.position_embedding.weight
        torch.nn.init.normal_(places, std=0.5)  # as large as what patches begin with, else all look alike for long
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    library: Any = LlavaProcessor  # its constructor has no types
    processor = library(
        image_processor=_image_processor(size.image, colours),
        tokenizer=tokenizer,
        patch_size=size.patch,
        num_additional_image_tokens=1,  # CLIP's class token, which the strategy takes off again
        vision_feature_select_strategy="default",
        chat_template=CHAT,
    )
    return model, processor


def _image_processor(side: int, colours: Colours) -> Any:
    """Frames are squeezed to a square whole: nothing is cropped."""
    import transformers

    # the Pil one needs no torchvision
    processor: Any = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
    square, (mean, spread) = {"height": side, "width": side}, map(list, colours)
    return processor(size=square, crop_size=square, do_center_crop=False, image_mean=mean, image_std=spread)
