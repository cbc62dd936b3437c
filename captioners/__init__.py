"""Images into words: captioners know no reinforcement learning."""
