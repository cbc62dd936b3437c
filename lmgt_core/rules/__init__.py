"""Rules that make shifts of judgments, and what each promises."""
