"""One job for each try."""
