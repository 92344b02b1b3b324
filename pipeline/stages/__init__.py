"""The DVC stages: one short module each, which joins the packages and decides nothing itself."""
