"""What one command does, a file each: check, plan, run, retry, publish, report and their like."""
