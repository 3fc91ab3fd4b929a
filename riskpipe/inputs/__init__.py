"""All inputs of a run, read and checked together: every fault at once, before anything is priced."""
