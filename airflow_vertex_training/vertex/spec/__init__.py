"""What to run, checked before it costs anything."""
