"""What a training will take: memory per GPU, time and dollars, before one is rented."""
