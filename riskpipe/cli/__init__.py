"""Floor 6: one file a command, thin; heavy imports happen inside the command."""
