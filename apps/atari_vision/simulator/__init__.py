"""The worlds whose frames are captioned and judged."""
