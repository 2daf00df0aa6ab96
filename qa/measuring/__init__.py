"""Measuring: ask questions with known answers, and learn the parameters from them."""
