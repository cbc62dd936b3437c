"""Where things belong: labels, votes, and the judges made from them."""
