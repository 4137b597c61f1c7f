"""`engine push`: rows and their card as a data set of the Hugging Face Hub."""
