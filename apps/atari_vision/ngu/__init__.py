"""NGU: R2D2 with an intrinsic reward and a family of exploration rates (Badia et al. 2020, arXiv 2002.06038)."""
