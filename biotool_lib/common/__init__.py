"""Shared by all stages: run folders, the renderer and parser, encoders, statistics, review records."""
