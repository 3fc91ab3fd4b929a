"""Floor 4: windowed submission, retry by cause, executors; knows no finance."""
