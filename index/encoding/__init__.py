"""From text to vectors: the encoder, and the models it is made from."""
