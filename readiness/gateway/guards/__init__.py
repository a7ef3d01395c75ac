"""What stands before every call, one file each; none knows another, and each names the checklist item it meets."""
