"""What code holds: connections that may be gone, resources that must be closed, tables that grow."""
