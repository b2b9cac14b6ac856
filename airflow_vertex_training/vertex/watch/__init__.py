"""Wait for many jobs at the price of few."""
