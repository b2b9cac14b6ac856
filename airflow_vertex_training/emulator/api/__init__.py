"""What the emulator answers, as Google documents it."""
