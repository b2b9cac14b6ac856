"""The jobs of the emulator: their states, processes and storage."""
