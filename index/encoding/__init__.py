"""Encoding: text becomes vectors. The encoder, and the models that it is made from."""
