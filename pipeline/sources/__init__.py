"""Where clips come from: archives, folders, UCF101, the built-in sample."""
