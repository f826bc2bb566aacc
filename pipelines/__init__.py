"""Beam jobs as people launch them."""
