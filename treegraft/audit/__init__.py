"""What is wrong with rows before they are trained on: `engine audit`."""
