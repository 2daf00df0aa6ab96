"""Asking questions whose answers are known, and learning the few numbers from them."""
