"""What `import riskpipe` has: the public functions, and tables of the program as inputs."""
