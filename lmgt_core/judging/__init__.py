"""What a judge is: descriptions, prompts, verdicts, strategies, and judges by name."""
