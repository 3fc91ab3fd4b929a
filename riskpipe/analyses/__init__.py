"""Analyses: what is made of a day's result tables, a file each."""
