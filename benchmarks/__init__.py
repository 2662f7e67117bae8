"""Speed, each printed as a ratio against the alternative in the same run; never asserted in tests."""
