"""Tasks on a cluster: a window of them in flight, retries by cause, the executors; knows no finance."""
