"""Tiny random models with byte tokenizers, saved as users' models are: for tests of everything but what they say."""

from pathlib import Path
from typing import Any

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ("<pad>", "<|im_start|>", "<|im_end|>", "<image>")
SIZE = 260  # 256 bytes and the four above


def byte_tokenizer(chat_template: str | None = CHAT) -> Any:
    """A tokenizer whose tokens are bytes: `good` is four of them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate((*SPECIAL, *letters))}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>", "<image>"],
        padding_side="left",
    )
    fast.chat_template = chat_template
    return fast


def tiny_text_config(**changes: Any) -> Any:
    """Two layers, 64 numbers wide, 2,048 tokens."""
    from transformers import LlamaConfig

    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    rest = {"num_key_value_heads": 2, "max_position_embeddings": 2048, "eos_token_id": 2, "pad_token_id": 0}
    return LlamaConfig(vocab_size=SIZE, **(sizes | rest | changes))


def save_tiny_llama(folder: Path, chat_template: str | None = CHAT, seed: int = 0) -> Path:
    """A random Llama with a byte tokenizer in `folder`."""
    import torch
    from transformers import LlamaForCausalLM

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        LlamaForCausalLM(tiny_text_config(tie_word_embeddings=True)).save_pretrained(folder)
    byte_tokenizer(chat_template).save_pretrained(folder)
    return folder


def save_tiny_mistral(folder: Path) -> Path:
    """A random Mistral whose attention slides over 64 tokens: it sees a shared prefix, and cannot go on from one."""
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    rest = {"num_key_value_heads": 2, "max_position_embeddings": 2048, "eos_token_id": 2, "pad_token_id": 0}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        MistralForCausalLM(MistralConfig(vocab_size=SIZE, sliding_window=64, **sizes, **rest)).save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


def save_tiny_llava(folder: Path) -> Path:
    """A random LLaVA, its CLIP tower looking at 28 x 28 pixels in four patches."""
    import torch
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor

    try:
        from transformers import CLIPImageProcessorPil as ImageProcessor  # needs no torchvision
    except ImportError:
        from transformers import CLIPImageProcessor as ImageProcessor
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    strategy = {"vision_feature_select_strategy": "default"}
    image = SPECIAL.index("<image>")
    config = LlavaConfig(vision_config=vision, text_config=tiny_text_config(), image_token_id=image, **strategy)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlavaForConditionalGeneration(config).save_pretrained(folder)
    side = {"height": 28, "width": 28}
    LlavaProcessor(
        image_processor=ImageProcessor(size=side, crop_size=side),
        tokenizer=byte_tokenizer(),
        patch_size=14,
        num_additional_image_tokens=1,  # CLIP's class token
        chat_template=CHAT,
        **strategy,
    ).save_pretrained(folder)
    return folder
