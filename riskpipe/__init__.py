"""riskpipe: batch risk for cross-asset books."""

__version__ = "0.1.0"
