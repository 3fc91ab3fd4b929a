"""A sample book, market, history and configuration for `riskpipe init`; nothing else uses it."""

from riskpipe.sample.writer import SampleSummary, write_sample

__all__ = ["SampleSummary", "write_sample"]
