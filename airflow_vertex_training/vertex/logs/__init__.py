"""Read the logs of many jobs at the price of few."""
