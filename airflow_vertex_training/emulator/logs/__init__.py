"""What the emulator's jobs print."""
