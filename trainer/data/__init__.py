"""Turn rows into token sequences with labels and loss weights."""
