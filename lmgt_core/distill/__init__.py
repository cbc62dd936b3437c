"""Small models trained on the judgments of large ones."""
