"""Start an emulator and inject faults."""
