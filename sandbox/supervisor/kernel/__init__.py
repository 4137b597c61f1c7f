"""What the supervisor asks of the kernel: processes, rights, system-call filters."""
