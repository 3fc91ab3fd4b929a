"""A sample book, market, history and configuration: for `riskpipe init`, the warm-up of kernels and the benchmarks."""

from riskpipe.sample.writer import SampleSummary, write_sample

__all__ = ["SampleSummary", "write_sample"]
