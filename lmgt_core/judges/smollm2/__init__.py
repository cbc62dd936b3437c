"""SmolLM2-135M, run by PyTorch from its GGUF file."""
