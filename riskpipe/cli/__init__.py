"""The command line: one file a command, thin; heavy imports happen inside the command."""
