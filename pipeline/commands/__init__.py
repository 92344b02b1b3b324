"""What people call by hand, beside the stages."""
